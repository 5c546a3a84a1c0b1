package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
)

// Files in the sandbox's folder that the supervisor and its driver share.
const (
	planFile  = "plan.json"       // what to run, written by the driver
	stateFile = "supervisor.json" // what runs, written by the supervisor
	lockFile  = "supervisor.lock" // held (flock) for as long as a supervisor lives
)

// process is one entry of the plan: this same binary under another name, or another program.
type process struct {
	Name string   `json:"name"`
	Path string   `json:"path"` // empty for this binary
	Args []string `json:"args"`
	Env  []string `json:"env"`
}

type plan struct {
	Processes []process `json:"processes"`
}

// identity tells a process from a later one that was given the same pid.
type identity struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

type state struct {
	identity
	Children map[string]identity `json:"children"`
}

type supervisor struct {
	dir      string
	plan     plan
	lifeline *os.File // read end of a pipe that only the supervisor could write to
	exits    chan string

	children sync.WaitGroup
	mu       sync.Mutex
	running  map[string]*exec.Cmd
	ids      map[string]identity
}

// runSupervise starts the processes of a plan and takes them with it when it ends.
//
// It ends on SIGTERM and SIGINT, and when its standard input is closed before a byte has arrived there: a driver that dies
// before it has committed the sandbox leaves nothing. After SIGHUP it starts those that are not running. Killed with
// SIGKILL, its children see the end of their lifeline (and, on Linux, a death signal) and end as well.
func runSupervise(args []string) int {
	flags := flag.NewFlagSet("supervise", flag.ExitOnError)
	dir := flags.String("dir", "", "folder of the sandbox")
	_ = flags.Parse(args)
	// A death signal is bound to the thread that started the child: this one lives as long as the process.
	runtime.LockOSThread()

	if err := supervise(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1
	}
	return 0
}

func supervise(dir string) error {
	if dir == "" {
		return fmt.Errorf("--dir is required")
	}
	// Sockets are named relative to the folder, for their paths are limited to about a hundred bytes.
	if err := os.Chdir(dir); err != nil {
		return err
	}
	lock, err := takeLock(lockFile)
	if err != nil {
		return fmt.Errorf("another supervisor runs in %s: %w", dir, err)
	}
	defer lock.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()

	s := &supervisor{
		dir: dir, lifeline: read, exits: make(chan string, 16),
		running: map[string]*exec.Cmd{}, ids: map[string]identity{},
	}
	text, err := os.ReadFile(planFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.plan); err != nil {
		return fmt.Errorf("%s: %w", planFile, err)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	abandoned := watchDriver(os.Stdin)

	err = s.startMissing()
	// What the linked programs have set up at their start is of no use here.
	debug.FreeOSMemory()
	for err == nil {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.killAll()
				return nil
			}
			err = s.startMissing()
		case name := <-s.exits:
			fmt.Fprintln(os.Stderr, "supervise:", name, "ended")
			err = s.writeState()
		case <-abandoned:
			s.killAll()
			// Nobody will ask for this folder: whoever made it is gone.
			if cwd, e := os.Getwd(); e == nil {
				return os.RemoveAll(cwd)
			}
			return nil
		}
	}
	s.killAll()
	return err
}

// watchDriver returns a channel that closes when input ends before anything was read from it.
func watchDriver(input io.Reader) <-chan struct{} {
	abandoned := make(chan struct{})
	go func() {
		if n, _ := input.Read(make([]byte, 1)); n == 0 {
			close(abandoned)
		}
	}()
	return abandoned
}

func (s *supervisor) startMissing() error {
	for _, p := range s.plan.Processes {
		s.mu.Lock()
		_, up := s.running[p.Name]
		s.mu.Unlock()
		if up {
			continue
		}
		if err := s.start(p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return s.writeState()
}

func (s *supervisor) start(p process) error {
	path := p.Path
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		path = self
	}
	log, err := newBoundedLog(p.Name + ".log")
	if err != nil {
		return err
	}
	cmd := exec.Command(path, p.Args...)
	cmd.Env = append(append(os.Environ(), p.Env...), lifelineVariable+"=3")
	cmd.ExtraFiles = []*os.File{s.lifeline} // fd 3
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		log.Close()
		return err
	}
	s.mu.Lock()
	s.running[p.Name] = cmd
	s.ids[p.Name] = identify(cmd.Process.Pid)
	s.mu.Unlock()
	s.children.Add(1)
	go func() {
		_ = cmd.Wait() // its state says more than its error
		fmt.Fprintf(log, "ended: %v\n", cmd.ProcessState)
		log.Close()
		s.mu.Lock()
		delete(s.running, p.Name)
		delete(s.ids, p.Name)
		s.mu.Unlock()
		s.children.Done()
		s.exits <- p.Name
	}()
	return nil
}

// killAll ends every child at once and returns when all are gone: nothing in a sandbox is worth a slow farewell.
func (s *supervisor) killAll() {
	s.mu.Lock()
	for _, cmd := range s.running {
		_ = cmd.Process.Kill()
	}
	s.mu.Unlock()
	s.children.Wait()
}

func (s *supervisor) writeState() error {
	s.mu.Lock()
	text, err := json.Marshal(state{identity: identify(os.Getpid()), Children: s.ids})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	temporary := stateFile + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, stateFile)
}

// identify reads the start time of a process where the system shows it in /proc; elsewhere it stays empty.
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
