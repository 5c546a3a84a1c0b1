package main

import (
	"os"
	"path/filepath"
	"sync"
)

// maxLogBytes bounds one log file; the one before it is kept as NAME.log.1.
const maxLogBytes = 8 << 20

// boundedLog is a log file that is moved aside when it is full.
type boundedLog struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64
}

func newBoundedLog(name string) (*boundedLog, error) {
	path, err := filepath.Abs(filepath.Join("logs", name))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	log := &boundedLog{path: path}
	return log, log.open()
}

func (l *boundedLog) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write never fails: a full disk must not stop the process that logs.
func (l *boundedLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(text)) > maxLogBytes {
		l.file.Close()
		_ = os.Rename(l.path, l.path+".1")
		if l.open() != nil {
			return len(text), nil
		}
	}
	n, _ := l.file.Write(text)
	l.size += int64(n)
	return len(text), nil
}

func (l *boundedLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
