// Command go writes the Go SDK of a package: the schema comes from stdin, and the folder is the argument.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"path/filepath"

	"github.com/blang/semver"
	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"

	// The SDK is compiled with the go.mod and go.sum of this module.
	_ "github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	log.SetFlags(0)
	var spec schema.PackageSpec
	check(json.NewDecoder(os.Stdin).Decode(&spec))
	pkg, diagnostics, err := schema.BindSpec(spec, noPackages{}, schema.ValidationOptions{})
	check(err)
	if diagnostics.HasErrors() {
		log.Fatal(diagnostics)
	}
	files, err := gogen.GeneratePackage("k8sauth", pkg, nil)
	check(err)
	for name, content := range files {
		path := filepath.Join(os.Args[1], name)
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		check(os.WriteFile(path, content, 0o644))
	}
}

// noPackages loads nothing: the schema refers to no other package.
type noPackages struct{}

var errRefers = errors.New("the schema refers to another package")

func (noPackages) LoadPackage(string, *semver.Version) (*schema.Package, error) {
	return nil, errRefers
}

func (noPackages) LoadPackageV2(context.Context, *schema.PackageDescriptor) (*schema.Package, error) {
	return nil, errRefers
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
