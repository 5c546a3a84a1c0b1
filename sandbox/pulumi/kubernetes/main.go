// Command pulumi-resource-kubernetes is Pulumi's own Kubernetes plugin, built from its Go module. It is never used where Pulumi's
// released plugin is.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"

	"k8sauth/sandbox/pulumi/engine"
)

// The released plugin embeds the schema of its SDKs. The module does not carry that file, and running resources does not need it.
const schema = `{"name": "kubernetes"}`

func main() {
	engine.ExitWith()
	provider.Serve("kubernetes", version.Version, []byte(schema), []byte("{}"))
}
