package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// Where things are inside.
const (
	homeFolder = "/run/sandbox" // the working directory of `run`
	binFolder  = "/run/bin"     // the programs that --binary names
	tmpFolder  = "/run/tmp"
)

// initialize is the first process inside: it sets the machine up, starts the command and ends with it, and takes in orphans.
func initialize(args []string) (int, error) {
	o := parse("init", args)
	var sockets []*os.File
	for i := range o.ports {
		syscall.CloseOnExec(3 + i)
		sockets = append(sockets, os.NewFile(uintptr(3+i), "port "+o.ports[i]))
	}
	signal.Ignore(syscall.SIGPIPE)
	if err := mountAll(o.binaries); err != nil {
		return 0, err
	}
	if err := syscall.Sethostname([]byte(o.hostname)); err != nil {
		return 0, fmt.Errorf("setting the host name: %w", err)
	}
	if err := setUpNetwork(o.address); err != nil {
		return 0, fmt.Errorf("setting up the network: %w", err)
	}
	for i, socket := range sockets {
		if err := forward(socket, o.ports[i]); err != nil {
			return 0, err
		}
	}
	return runCommand(o.command)
}

func mountAll(binaries []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	// The folder may lie below what is covered next: the working directory and open files still lead there.
	sources := make([]*os.File, len(binaries))
	for i, binary := range binaries {
		_, path, _ := strings.Cut(binary, "=")
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		sources[i] = file
	}
	// Container tools keep sockets, locks and addresses below /run and /var, wherever else they are told to.
	for _, folder := range []string{"/run", "/var"} {
		if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("covering %s: %w", folder, err)
		}
	}
	for _, folder := range []string{homeFolder, binFolder, tmpFolder, "/var/lib", "/var/log"} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", "/var/run"); err != nil {
		return err
	}
	if err := bind(".", homeFolder); err != nil {
		return err
	}
	for i, binary := range binaries {
		name, _, _ := strings.Cut(binary, "=")
		target := filepath.Join(binFolder, name)
		if err := os.WriteFile(target, nil, 0o755); err != nil {
			return err
		}
		if err := bind(fmt.Sprintf("/proc/self/fd/%d", sources[i].Fd()), target); err != nil {
			return err
		}
	}
	if err := bindSysctls(); err != nil {
		return err
	}
	return os.Chdir(homeFolder)
}

func bind(source, target string) error {
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s to %s: %w", source, target, err)
	}
	return nil
}

// bindSysctls shows the kubelet the values that it would otherwise set for the whole real machine; those stay as they are.
func bindSysctls() error {
	values := map[string]string{
		"kernel/keys/root_maxbytes": "25000000",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
	}
	for name, value := range values {
		target := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); err != nil {
			continue // not in this kernel
		}
		source := filepath.Join("/run/sysctl", name)
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(source, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(source, target); err != nil {
			return err
		}
	}
	return nil
}

// runCommand starts the command and returns its exit status. Its standard input holds one byte and stays open.
func runCommand(command []string) (int, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	if _, err := write.Write([]byte{'\n'}); err != nil {
		return 0, err
	}
	if err := os.Setenv("TMPDIR", tmpFolder); err != nil {
		return 0, err
	}
	path := filepath.Join(binFolder, command[0])
	process, err := os.StartProcess(path, command, &os.ProcAttr{
		Files: []*os.File{read, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", command[0], err)
	}
	read.Close()
	return reap(process.Pid), nil
}

// reap takes in the processes that have lost their parent, until the given one ends.
func reap(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 1
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid:
			return status.ExitStatus()
		}
	}
}

// pause holds the namespaces of a pod: it does nothing but take in orphans until it is told to end.
func pause() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for sig := range signals {
		if sig != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
