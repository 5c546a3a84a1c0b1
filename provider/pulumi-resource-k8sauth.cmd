@echo off
setlocal
set "node=%~dp0..\node_modules\node\bin\node.exe"
if exist "%node%" goto run
set "node=node"
where node >nul 2>nul
if not errorlevel 1 goto run
echo k8sauth needs Node.js ^>= 24.5, and there is no node on the PATH. Install it from https://nodejs.org 1>&2
exit /b 1
:run
"%node%" "%~dp0start.cjs" %*
