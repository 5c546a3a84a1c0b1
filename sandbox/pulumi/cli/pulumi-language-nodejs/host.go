package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	codegen "github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"k8sauth/sandbox/pulumi/cli/host"
)

// nodejs serves Pulumi's LanguageRuntime protocol for programs, policy packs and plugins that are written for Node.js.
type nodejs struct {
	*host.Base
}

func (h *nodejs) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	node, err := findNode()
	if err != nil {
		return nil, err
	}
	output, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", node, err)
	}
	return &pulumirpc.AboutResponse{Executable: node, Version: strings.TrimSpace(string(output))}, nil
}

func (h *nodejs) GetProgramDependencies(_ context.Context, request *pulumirpc.GetProgramDependenciesRequest) (*pulumirpc.GetProgramDependenciesResponse, error) {
	dependencies, err := installedDependencies(request.GetInfo().GetProgramDirectory())
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: dependencies}, err
}

// Run executes a program against the engine's resource monitor.
func (h *nodejs) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	settings, err := host.Settings(request)
	if err != nil {
		return nil, err
	}
	arguments := []string{
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.Engine,
		"--organization", request.GetOrganization(),
		"--project", request.GetProject(),
		"--stack", request.GetStack(),
		"--root-directory", request.GetInfo().GetRootDirectory(),
		"--pwd", request.GetPwd(),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
	}
	if request.GetDryRun() {
		arguments = append(arguments, "--dry-run")
	}
	arguments = append(append(arguments, request.GetInfo().GetEntryPoint()), request.GetArgs()...)
	return host.Ended(h.sdk(ctx, script{
		name:        "run",
		info:        request.GetInfo(),
		pwd:         request.GetPwd(),
		arguments:   arguments,
		environment: settings,
	})), nil
}

// RunPlugin executes a policy pack, or a plugin that is a Node.js package, and passes on what it prints.
func (h *nodejs) RunPlugin(request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer) error {
	name, pwd, program := "run-plugin", request.GetPwd(), request.GetInfo().GetProgramDirectory()
	arguments := append([]string{program}, request.GetArgs()...)
	if request.GetKind() == "analyzer" {
		// The runner of policy packs takes the program last.
		arguments = append(request.GetArgs(), program)
		// @pulumi/policy reads the version of a pack from the package.json in the working directory.
		name, pwd = "run-policy-pack", program
	}
	output := &host.PluginOutput{Stream: stream}
	err := h.sdk(stream.Context(), script{
		name:        name,
		info:        request.GetInfo(),
		pwd:         pwd,
		arguments:   arguments,
		environment: request.GetEnv(),
		stdout:      output.Stdout(),
		stderr:      output.Stderr(),
	})
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	return output.Exit(status)
}

// InstallDependencies runs npm in the program's folder.
func (h *nodejs) InstallDependencies(request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer) error {
	command := exec.CommandContext(stream.Context(), "npm", "install", "--loglevel=error")
	command.Dir = request.GetInfo().GetProgramDirectory()
	return h.Processes.Install(command, stream)
}

// GeneratePackage writes an SDK in TypeScript.
func (h *nodejs) GeneratePackage(_ context.Context, request *pulumirpc.GeneratePackageRequest) (*pulumirpc.GeneratePackageResponse, error) {
	return host.Generate(request, func(bound *schema.Package, loader schema.ReferenceLoader) (map[string][]byte, error) {
		return codegen.GeneratePackage("pulumi-language-nodejs", bound, request.GetExtraFiles(), request.GetLocalDependencies(), request.GetLocal(), loader)
	})
}

// Link makes SDKs dependencies of a program.
func (h *nodejs) Link(ctx context.Context, request *pulumirpc.LinkRequest) (*pulumirpc.LinkResponse, error) {
	folder := request.GetInfo().GetProgramDirectory()
	arguments := []string{"pkg", "set"}
	instructions := "Import it in your program with:\n"
	for _, linked := range request.GetPackages() {
		file, err := readPackage(filepath.Join(folder, linked.GetPath(), "package.json"))
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, fmt.Sprintf("dependencies.%s=file:%s", file.Name, filepath.ToSlash(linked.GetPath())))
		instructions += fmt.Sprintf("\n  import * as %s from %q;\n", strings.ReplaceAll(linked.GetPackage().GetName(), "-", "_"), file.Name)
	}
	command := exec.CommandContext(ctx, "npm", arguments...)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %s", command, folder, err, output)
	}
	return &pulumirpc.LinkResponse{ImportInstructions: instructions}, nil
}
