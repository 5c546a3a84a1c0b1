package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Exit status of @pulumi/pulumi's runner when the program's error has been reported already.
const statusReported = 32

// host serves Pulumi's LanguageRuntime protocol for programs, policy packs and plugins that are written for Node.js.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine  string
	version string
	runner  *runner
}

func (h *host) Handshake(_ context.Context, request *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	if address := request.GetEngineAddress(); address != "" {
		h.engine = address
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: h.version}, nil
}

// GetRequiredPackages names none: the engine finds each plugin by the version that the program's packages ask for.
func (h *host) GetRequiredPackages(context.Context, *pulumirpc.GetRequiredPackagesRequest) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) GetRequiredPlugins(context.Context, *pulumirpc.GetRequiredPluginsRequest) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

func (h *host) RuntimeOptionsPrompts(context.Context, *pulumirpc.RuntimeOptionsRequest) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (h *host) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

func (h *host) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
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

func (h *host) GetProgramDependencies(_ context.Context, request *pulumirpc.GetProgramDependenciesRequest) (*pulumirpc.GetProgramDependenciesResponse, error) {
	dependencies, err := installedDependencies(request.GetInfo().GetProgramDirectory())
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: dependencies}, err
}

// Run executes a program against the engine's resource monitor.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	settings := request.GetConfig()
	if settings == nil {
		// The SDK takes "null" for no object of settings.
		settings = map[string]string{}
	}
	config, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	arguments := []string{
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
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
	err = h.runner.sdk(ctx, script{
		name:        "run",
		info:        request.GetInfo(),
		pwd:         request.GetPwd(),
		arguments:   arguments,
		environment: []string{"PULUMI_CONFIG=" + string(config), "PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeys)},
	})
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == statusReported:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with %s", exit)}, nil
	default:
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
}

// RunPlugin executes a policy pack, or a plugin that is a Node.js package, and passes on what it prints.
func (h *host) RunPlugin(request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer) error {
	name, pwd, program := "run-plugin", request.GetPwd(), request.GetInfo().GetProgramDirectory()
	arguments := append([]string{program}, request.GetArgs()...)
	if request.GetKind() == "analyzer" {
		// The runner of policy packs takes the program last.
		arguments = append(request.GetArgs(), program)
		// @pulumi/policy reads the version of a pack from the package.json in the working directory.
		name, pwd = "run-policy-pack", program
	}
	output := &pluginOutput{stream: stream}
	err := h.runner.sdk(stream.Context(), script{
		name:        name,
		info:        request.GetInfo(),
		pwd:         pwd,
		arguments:   arguments,
		environment: request.GetEnv(),
		stdout:      output.stdout(),
		stderr:      output.stderr(),
	})
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	return output.exit(status)
}

// InstallDependencies runs npm in the program's folder.
func (h *host) InstallDependencies(request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer) error {
	output := &installOutput{stream: stream}
	command := exec.CommandContext(stream.Context(), "npm", "install", "--loglevel=error")
	command.Dir = request.GetInfo().GetProgramDirectory()
	command.Stdout, command.Stderr = output.stdout(), output.stderr()
	if err := h.runner.run(command); err != nil {
		return fmt.Errorf("npm install in %s: %w", command.Dir, err)
	}
	return nil
}

// Cancel ends the programs and plugins that run.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.runner.stop()
	return &emptypb.Empty{}, nil
}
