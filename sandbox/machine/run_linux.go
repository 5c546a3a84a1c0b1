package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// stateFile, in the working directory, names the processes that belong to the machine but are not in it.
const stateFile = "machine.json"

// identity tells a process from a later one that was given the same pid.
type identity struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

type state struct {
	Run   identity `json:"run"`
	Guard identity `json:"guard"`
	Init  identity `json:"init"`
}

// run makes the machine in the working directory and lives as long as it does.
//
// It ends on SIGTERM and SIGINT, when the command inside ends, and when its standard input is closed before a byte has arrived
// there. Nothing of the machine outlives it: the first process inside gets a death signal, the kernel ends all others with that one,
// and a guard outside removes what the kernel does not.
func run(args []string) error {
	o := parse("run", args)
	if o.cgroup == "" || strings.ContainsAny(o.cgroup, "/.") || len(o.command) == 0 {
		return errors.New("--cgroup NAME and a command are required")
	}
	// A death signal is bound to the thread that started the child: this one lives as long as the process.
	runtime.LockOSThread()
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	sockets, err := listen(o.ports)
	if err != nil {
		return err
	}
	watcher, err := startGuard(o.cgroup)
	if err != nil {
		return err
	}
	defer watcher.finish()
	if err := makeCgroups(o.cgroup); err != nil {
		return err
	}
	inside, err := startInit(args, sockets)
	if err != nil {
		return err
	}
	ids := state{identify(os.Getpid()), identify(watcher.cmd.Process.Pid), identify(inside.Process.Pid)}
	if err := writeState(ids); err != nil {
		return errors.Join(err, inside.Process.Kill())
	}

	ended := make(chan error, 1)
	go func() { ended <- inside.Wait() }()
	input := watchDriver(os.Stdin)
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("ended: %w", err)
			}
			return nil
		case <-signals:
		case committed := <-input:
			if committed {
				watcher.tell(keepFolder)
				continue
			}
			watcher.tell(removeFolder)
		}
		_ = inside.Process.Kill()
		<-ended
		return nil
	}
}

// listen opens sockets in the network outside: they stay there, whoever accepts connections from them.
func listen(ports []string) ([]*os.File, error) {
	var sockets []*os.File
	for _, port := range ports {
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		socket, err := listener.(*net.TCPListener).File()
		if err != nil {
			return nil, err
		}
		listener.Close() // the file is a copy of it
		sockets = append(sockets, socket)
	}
	return sockets, nil
}

func startInit(args []string, sockets []*os.File) (*exec.Cmd, error) {
	cmd := exec.Command("/proc/self/exe", append([]string{"init"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = sockets
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("making the namespaces: %w", err)
	}
	return cmd, nil
}

// watchDriver tells once whether a byte came from the driver (true) or its end of the pipe was closed before (false).
func watchDriver(input io.Reader) <-chan bool {
	result := make(chan bool, 1)
	go func() {
		n, _ := input.Read(make([]byte, 1))
		result <- n > 0
	}()
	return result
}

func writeState(s state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(stateFile+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(stateFile+".new", stateFile)
}

func identify(pid int) identity {
	id := identity{PID: pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return id
	}
	// The second field is the name in parentheses and may hold blanks; the start time is the 22nd.
	_, rest, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(rest); len(fields) > 19 {
		id.Started = fields[19]
	}
	return id
}
