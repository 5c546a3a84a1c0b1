@echo off
setlocal
set "node=%~dp0..\node_modules\node\bin\node.exe"
if exist "%node%" goto run
set "node=node"
where node >nul 2>nul
if not errorlevel 1 goto run
echo k8sauth: Node.js was not found on the PATH; install Node.js 24 (22.18 at least), https://nodejs.org 1>&2
exit /b 1
:run
"%node%" "%~dp0start.cjs" %*
