// Command pulumi-resource-tls stands in for Pulumi's tls plugin, which cannot be built from a Go module: it is never used where the
// released plugin is. It has the two resources that this repository's program uses, with the outputs, ids and defaults of the
// released plugin, so that either goes on with the state of the other. It refuses everything else by name.
package main

import (
	"fmt"
	"net"
	"os"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"k8sauth/sandbox/pulumi/engine"
)

func main() {
	engine.ExitWith()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-tls:", err)
		os.Exit(1)
	}
	server := grpc.NewServer()
	pulumirpc.RegisterResourceProviderServer(server, &provider{})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-tls:", err)
		os.Exit(1)
	}
}
