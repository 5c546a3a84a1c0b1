// Command pulumi-language-nodejs runs Node.js programs and plugins for the Pulumi CLI that is built beside it, and generates SDKs. It is
// never used where Pulumi's released language host is.
package main

import (
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"k8sauth/sandbox/pulumi/cli/host"
)

func main() {
	host.Serve(func(base *host.Base) pulumirpc.LanguageRuntimeServer { return &nodejs{base} })
}
