package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// script is one of the runners that @pulumi/pulumi has for programs and plugins.
type script struct {
	name           string
	info           *pulumirpc.ProgramInfo
	pwd            string
	arguments      []string
	environment    []string
	stdout, stderr io.Writer
}

// sdk runs one of the SDK's runners with Node.js.
func (h *nodejs) sdk(ctx context.Context, script script) error {
	node, err := findNode()
	if err != nil {
		return err
	}
	module, err := findModule(script.info.GetProgramDirectory(), filepath.Join("@pulumi", "pulumi", "cmd", script.name))
	if err != nil {
		return err
	}
	options := script.info.GetOptions().AsMap()
	arguments, err := nodeArguments(options["nodeargs"])
	if err != nil {
		return err
	}
	typescript := "true"
	if enabled, given := options["typescript"].(bool); given && !enabled {
		typescript = "false"
	}
	command := exec.CommandContext(ctx, node, append(append(arguments, module), script.arguments...)...)
	command.Dir = script.pwd
	command.Env = append(append(os.Environ(), "PULUMI_NODEJS_TYPESCRIPT="+typescript), script.environment...)
	command.Stdout, command.Stderr = script.stdout, script.stderr
	if command.Stdout == nil {
		command.Stdout = os.Stdout
	}
	if command.Stderr == nil {
		command.Stderr = os.Stderr
	}
	return h.Processes.Run(command)
}

func findNode() (string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", errors.New("`node` is not on the PATH. Install Node.js >= 24.5 from https://nodejs.org")
	}
	return node, nil
}

// findModule looks for a module as Node.js does: in the node_modules of a folder and of those above it.
func findModule(folder, module string) (string, error) {
	for at := folder; ; at = filepath.Dir(at) {
		path := filepath.Join(at, "node_modules", module)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not installed for the program in %s. Run `npm ci` or `pulumi install` there", module, folder)
		}
	}
}

// nodeArguments reads the runtime option `nodeargs`: a list, or one text without quotes.
func nodeArguments(option any) ([]string, error) {
	switch value := option.(type) {
	case nil:
		return nil, nil
	case string:
		return strings.Fields(value), nil
	case []any:
		arguments := make([]string, 0, len(value))
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("the runtime option nodeargs holds %v, which is not a string", item)
			}
			arguments = append(arguments, text)
		}
		return arguments, nil
	default:
		return nil, fmt.Errorf("the runtime option nodeargs must be a list of strings")
	}
}

type packageFile struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
}

// installedDependencies lists the direct dependencies of the package that a folder belongs to, with the versions that are installed.
func installedDependencies(folder string) ([]*pulumirpc.DependencyInfo, error) {
	file, err := readPackage(filepath.Join(folder, "package.json"))
	if err != nil {
		return nil, err
	}
	var found []*pulumirpc.DependencyInfo
	for _, names := range []map[string]string{file.Dependencies, file.DevDependencies} {
		for name, version := range names {
			if path, err := findModule(folder, filepath.Join(filepath.FromSlash(name), "package.json")); err == nil {
				if installed, err := readPackage(path); err == nil {
					version = installed.Version
				}
			}
			found = append(found, &pulumirpc.DependencyInfo{Name: name, Version: version})
		}
	}
	return found, nil
}

func readPackage(path string) (*packageFile, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file := &packageFile{}
	if err := json.Unmarshal(content, file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}
