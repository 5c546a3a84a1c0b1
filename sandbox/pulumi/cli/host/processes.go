package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// How long a process may take to end after SIGTERM.
const grace = time.Second

// Processes starts processes and ends all of them on request.
type Processes struct {
	mutex    sync.Mutex
	stopped  bool
	commands map[*exec.Cmd]chan struct{}
}

func newProcesses() *Processes {
	return &Processes{commands: map[*exec.Cmd]chan struct{}{}}
}

// Run starts a command and waits for it. A cancelled command gets SIGTERM, and SIGKILL after the grace period.
func (p *Processes) Run(command *exec.Cmd) error {
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = grace
	ended := make(chan struct{})
	if err := p.start(command, ended); err != nil {
		return err
	}
	err := command.Wait()
	p.mutex.Lock()
	delete(p.commands, command)
	p.mutex.Unlock()
	close(ended)
	return err
}

// Install runs a command that installs a program's dependencies, and passes on what it prints.
func (p *Processes) Install(command *exec.Cmd, stream pulumirpc.LanguageRuntime_InstallDependenciesServer) error {
	output := &installOutput{stream: stream}
	command.Stdout, command.Stderr = output.stdout(), output.stderr()
	if err := p.Run(command); err != nil {
		return fmt.Errorf("%s in %s: %w", command, command.Dir, err)
	}
	return nil
}

func (p *Processes) start(command *exec.Cmd, ended chan struct{}) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.stopped {
		return errors.New("the run was cancelled")
	}
	if err := command.Start(); err != nil {
		return err
	}
	p.commands[command] = ended
	return nil
}

// stop ends all processes, and lets no other one start.
func (p *Processes) stop() {
	p.mutex.Lock()
	p.stopped = true
	running := map[*exec.Cmd]chan struct{}{}
	for command, ended := range p.commands {
		running[command] = ended
		_ = command.Process.Signal(syscall.SIGTERM)
	}
	p.mutex.Unlock()
	deadline := time.After(grace)
	for command, ended := range running {
		select {
		case <-ended:
		case <-deadline:
			_ = command.Process.Kill()
		}
	}
}

// Settings are the variables with which a program gets the configuration of its stack.
func Settings(request *pulumirpc.RunRequest) ([]string, error) {
	settings := request.GetConfig()
	if settings == nil {
		// The SDK takes "null" for no object of settings.
		settings = map[string]string{}
	}
	config, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	return []string{"PULUMI_CONFIG=" + string(config), "PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeys)}, nil
}

// Ended is the answer to a run of a program that ended with err.
func Ended(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case errors.As(err, &exit) && exit.ExitCode() == StatusReported:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with %s", exit)}
	default:
		return &pulumirpc.RunResponse{Error: err.Error()}
	}
}
