package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hierarchies lists where cgroup file systems are mounted: one for version 2, one per controller for version 1.
func hierarchies() (v1, v2 []string, err error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 3:
		case fields[2] == "cgroup":
			v1 = append(v1, fields[1])
		case fields[2] == "cgroup2":
			v2 = append(v2, fields[1])
		}
	}
	return v1, v2, nil
}

func makeCgroups(name string) error {
	v1, v2, err := hierarchies()
	if err != nil {
		return err
	}
	for _, mount := range v2 {
		// One that is on already, or that this kernel does not have, is no error.
		for _, controller := range []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} {
			_ = os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
	}
	for _, mount := range slices.Concat(v1, v2) {
		if err := os.Mkdir(filepath.Join(mount, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// removeCgroups removes a cgroup and those below it from each hierarchy, waiting until the last process in them has ended.
func removeCgroups(name string, patience time.Duration) error {
	v1, v2, err := hierarchies()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		var failed error
		for _, mount := range slices.Concat(v1, v2) {
			failed = errors.Join(failed, removeTree(filepath.Join(mount, name)))
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// removeTree removes folders from the innermost outwards; the files in a cgroup go with it.
func removeTree(root string) error {
	var folders []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil
	})
	var failed error
	for _, folder := range slices.Backward(folders) {
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
