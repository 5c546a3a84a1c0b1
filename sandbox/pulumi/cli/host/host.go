// Package host has what the language hosts of this module share: the server, the answers that are the same for every language, child
// processes, and SDKs by Pulumi's generators.
package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"k8sauth/sandbox/pulumi/engine"
)

// StatusReported is the exit status of a program whose error its SDK has reported already.
const StatusReported = 32

// The engine's own limit for a message.
const maxMessageBytes = 400 << 20

// Base answers the calls that are the same for every language.
type Base struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	// Engine is the address of the engine.
	Engine    string
	Processes *Processes
}

// Serve runs the language host that add makes from a Base, until the engine is gone.
func Serve(add func(*Base) pulumirpc.LanguageRuntimeServer) {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: %s ENGINE_ADDRESS; the Pulumi CLI starts it", os.Args[0]))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	base := &Base{Engine: os.Args[len(os.Args)-1], Processes: newProcesses()}
	go func() {
		<-engine.Gone()
		base.Processes.stop()
		os.Exit(0)
	}()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	pulumirpc.RegisterLanguageRuntimeServer(server, add(base))
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(os.Args[0]), err)
	os.Exit(1)
}

func (b *Base) Handshake(_ context.Context, request *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	if address := request.GetEngineAddress(); address != "" {
		b.Engine = address
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (b *Base) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// GetRequiredPackages names none: the engine finds each plugin by the version that the program's packages ask for.
func (b *Base) GetRequiredPackages(context.Context, *pulumirpc.GetRequiredPackagesRequest) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (b *Base) GetRequiredPlugins(context.Context, *pulumirpc.GetRequiredPluginsRequest) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

func (b *Base) RuntimeOptionsPrompts(context.Context, *pulumirpc.RuntimeOptionsRequest) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (b *Base) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

// Cancel ends the programs and plugins that run.
func (b *Base) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	b.Processes.stop()
	return &emptypb.Empty{}, nil
}
