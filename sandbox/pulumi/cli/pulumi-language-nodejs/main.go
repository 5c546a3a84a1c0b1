// Command pulumi-language-nodejs runs Node.js programs and plugins for the Pulumi CLI that is built beside it. It is never used
// where Pulumi's released language host is.
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"k8sauth/sandbox/pulumi/engine"
)

// The engine's own limit for a message.
const maxMessageBytes = 400 << 20

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: %s ENGINE_ADDRESS; the Pulumi CLI starts it", os.Args[0]))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	runner := newRunner()
	host := &host{engine: os.Args[len(os.Args)-1], version: version.Version, runner: runner}
	go func() {
		<-engine.Gone()
		runner.stop()
		os.Exit(0)
	}()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	pulumirpc.RegisterLanguageRuntimeServer(server, host)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
	os.Exit(1)
}
