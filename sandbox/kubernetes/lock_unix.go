//go:build unix

package main

import (
	"os"
	"syscall"
)

// takeLock holds a file for as long as this process lives; the kernel lets go of it however the process ends.
func takeLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }
