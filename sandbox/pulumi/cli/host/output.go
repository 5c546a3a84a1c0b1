package host

import (
	"io"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// writer passes each write to a function. Standard output and standard error of one process share a stream, which takes one message
// at a time.
type writer struct {
	mutex *sync.Mutex
	send  func([]byte) error
}

func (w writer) Write(content []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err := w.send(content); err != nil {
		return 0, err
	}
	return len(content), nil
}

// PluginOutput passes on what a plugin prints, and its exit status.
type PluginOutput struct {
	mutex  sync.Mutex
	Stream pulumirpc.LanguageRuntime_RunPluginServer
}

func (o *PluginOutput) Stdout() io.Writer {
	return writer{&o.mutex, func(content []byte) error {
		return o.Stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: content}})
	}}
}

func (o *PluginOutput) Stderr() io.Writer {
	return writer{&o.mutex, func(content []byte) error {
		return o.Stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: content}})
	}}
}

func (o *PluginOutput) Exit(status int) error {
	return o.Stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(status)}})
}

type installOutput struct {
	mutex  sync.Mutex
	stream pulumirpc.LanguageRuntime_InstallDependenciesServer
}

func (o *installOutput) stdout() io.Writer {
	return writer{&o.mutex, func(content []byte) error {
		return o.stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: content})
	}}
}

func (o *installOutput) stderr() io.Writer {
	return writer{&o.mutex, func(content []byte) error {
		return o.stream.Send(&pulumirpc.InstallDependenciesResponse{Stderr: content})
	}}
}
