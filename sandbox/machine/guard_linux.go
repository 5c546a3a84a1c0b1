package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// What `run` tells its guard, one byte each.
const (
	keepFolder   = 'k' // the machine was left to live on: its folder belongs to whoever stops it
	removeFolder = 'r' // whoever made the machine is gone: nobody else will remove its folder
)

type guardian struct {
	cmd   *exec.Cmd
	input *os.File
	told  bool
}

// startGuard starts the process that cleans up after this one, also when this one is killed.
func startGuard(cgroup string) (*guardian, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("/proc/self/exe", "guard", cgroup)
	cmd.Stdin, cmd.Stderr = read, os.Stderr
	cmd.ExtraFiles = []*os.File{os.Stdin} // the driver's pipe, as fd 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guardian{cmd: cmd, input: write}, nil
}

func (g *guardian) tell(what byte) {
	_, _ = g.input.Write([]byte{what})
	g.told = true
}

// finish returns when all is clean.
func (g *guardian) finish() {
	if !g.told {
		g.tell(keepFolder) // it is the driver who ends the machine, or hears of its end
	}
	g.input.Close()
	_ = g.cmd.Wait()
}

// guard waits for the end of `run` and removes the cgroups, and the working directory if nobody else will.
func guard(args []string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if len(args) != 1 {
		return errors.New("the name of a cgroup is required")
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	var told byte
	for buffer := make([]byte, 1); ; told = buffer[0] {
		if n, _ := os.Stdin.Read(buffer); n == 0 {
			break
		}
	}
	err = removeCgroups(args[0], 20*time.Second)
	if told == 0 {
		// Killed before the driver let go of it: the driver removes the folder, unless it dies as well.
		if n, _ := os.NewFile(3, "driver").Read(make([]byte, 1)); n > 0 {
			return err
		}
		told = removeFolder
	}
	if told == removeFolder {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	if err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}
