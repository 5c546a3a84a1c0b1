// Command pulumi-language-go runs Go programs for the Pulumi CLI that is built beside it, and generates SDKs. It is never used where
// Pulumi's released language host is.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	codegen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/mod/modfile"

	"k8sauth/sandbox/pulumi/cli/host"
)

func main() {
	host.Serve(func(base *host.Base) pulumirpc.LanguageRuntimeServer { return &golang{base} })
}

// golang serves Pulumi's LanguageRuntime protocol for programs that are written in Go.
type golang struct {
	*host.Base
}

func (h *golang) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	executable, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	output, err := exec.CommandContext(ctx, executable, "env", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("%s env GOVERSION: %w", executable, err)
	}
	return &pulumirpc.AboutResponse{Executable: executable, Version: strings.TrimSpace(string(output))}, nil
}

// GetProgramDependencies lists the modules that the program's go.mod requires directly.
func (h *golang) GetProgramDependencies(_ context.Context, request *pulumirpc.GetProgramDependenciesRequest) (*pulumirpc.GetProgramDependenciesResponse, error) {
	file, err := readModule(request.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, required := range file.Require {
		if !required.Indirect {
			found := &pulumirpc.DependencyInfo{Name: required.Mod.Path, Version: required.Mod.Version}
			response.Dependencies = append(response.Dependencies, found)
		}
	}
	return response, nil
}

// Run compiles a program, and executes it against the engine's resource monitor.
func (h *golang) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	settings, err := host.Settings(request)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pulumi-go-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "program")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, request.GetInfo().GetEntryPoint())
	build.Dir = request.GetInfo().GetProgramDirectory()
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := h.Processes.Run(build); err != nil {
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program in %s did not compile: %s", build.Dir, err)}, nil
	}
	command := exec.CommandContext(ctx, program, request.GetArgs()...)
	command.Dir = request.GetPwd()
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = append(append(os.Environ(), settings...),
		"PULUMI_MONITOR="+request.GetMonitorAddress(),
		"PULUMI_ENGINE="+h.Engine,
		"PULUMI_ORGANIZATION="+request.GetOrganization(),
		"PULUMI_PROJECT="+request.GetProject(),
		"PULUMI_STACK="+request.GetStack(),
		"PULUMI_ROOT_DIRECTORY="+request.GetInfo().GetRootDirectory(),
		"PULUMI_PARALLEL="+strconv.Itoa(int(request.GetParallel())),
		"PULUMI_DRY_RUN="+strconv.FormatBool(request.GetDryRun()),
	)
	return host.Ended(h.Processes.Run(command)), nil
}

// InstallDependencies completes the program's go.mod and go.sum.
func (h *golang) InstallDependencies(request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer) error {
	command := exec.CommandContext(stream.Context(), "go", "mod", "tidy")
	command.Dir = request.GetInfo().GetProgramDirectory()
	return h.Processes.Install(command, stream)
}

// GeneratePackage writes an SDK in Go.
func (h *golang) GeneratePackage(_ context.Context, request *pulumirpc.GeneratePackageRequest) (*pulumirpc.GeneratePackageResponse, error) {
	return host.Generate(request, func(bound *schema.Package, _ schema.ReferenceLoader) (map[string][]byte, error) {
		files, err := codegen.GeneratePackage("pulumi-language-go", bound, request.GetLocalDependencies())
		if err != nil {
			return nil, err
		}
		maps.Copy(files, request.GetExtraFiles())
		return files, nil
	})
}

// Link replaces the modules of SDKs by their folders in the program's go.mod. `go mod tidy` requires those that the
// program imports.
func (h *golang) Link(ctx context.Context, request *pulumirpc.LinkRequest) (*pulumirpc.LinkResponse, error) {
	folder := request.GetInfo().GetProgramDirectory()
	arguments := []string{"mod", "edit"}
	instructions := "Import it in your program with:\n"
	for _, linked := range request.GetPackages() {
		sdk := filepath.Join(folder, linked.GetPath())
		file, err := readModule(sdk)
		if err != nil {
			return nil, err
		}
		// The SDK's module contains one folder with its packages.
		roots, err := filepath.Glob(filepath.Join(sdk, "*", "pulumi-plugin.json"))
		if err != nil || len(roots) != 1 {
			return nil, fmt.Errorf("%s is no SDK in Go: expected one folder with a pulumi-plugin.json in it, found %d", sdk, len(roots))
		}
		module := file.Module.Mod.Path
		arguments = append(arguments, fmt.Sprintf("-replace=%s=./%s", module, filepath.ToSlash(linked.GetPath())))
		instructions += fmt.Sprintf("\n  import %q\n", path.Join(module, filepath.Base(filepath.Dir(roots[0]))))
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %s", command, folder, err, output)
	}
	return &pulumirpc.LinkResponse{ImportInstructions: instructions}, nil
}

func readModule(folder string) (*modfile.File, error) {
	path := filepath.Join(folder, "go.mod")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(path, content, nil)
}
