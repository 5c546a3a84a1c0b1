// Command pulumi-resource-kubernetes is Pulumi's own Kubernetes plugin, built from its Go module. It is never used where Pulumi's
// released plugin is.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"

	"k8sauth/sandbox/pulumi/engine"
)

// The released plugin embeds the schema of its SDKs. The module does not carry that file, and running resources does not need it. Programs
// in YAML need the inputs of the provider, to configure one: these are those without the settings of Helm and of the client.
const schema = `{
	"name": "kubernetes",
	"provider": {
		"inputProperties": {
			"cluster": {"type": "string"},
			"clusterIdentifier": {"type": "string"},
			"context": {"type": "string"},
			"deleteUnreachable": {"type": "boolean"},
			"enableConfigMapMutable": {"type": "boolean"},
			"enableSecretMutable": {"type": "boolean"},
			"enableServerSideApply": {"type": "boolean"},
			"kubeconfig": {"type": "string"},
			"namespace": {"type": "string"},
			"renderYamlToDirectory": {"type": "string"},
			"skipUpdateUnreachable": {"type": "boolean"},
			"suppressDeprecationWarnings": {"type": "boolean"},
			"suppressHelmHookWarnings": {"type": "boolean"}
		}
	}
}`

func main() {
	engine.ExitWith()
	provider.Serve("kubernetes", version.Version, []byte(schema), []byte("{}"))
}
