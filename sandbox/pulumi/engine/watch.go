// Package engine tells a Pulumi plugin when the engine that started it has ended.
package engine

import (
	"os"
	"time"
)

// Gone is closed within half a second of the end of the process that started this one. A plugin that outlives its engine would go
// on changing things that no state records.
func Gone() <-chan struct{} {
	gone := make(chan struct{})
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(250 * time.Millisecond)
		}
		close(gone)
	}()
	return gone
}

// ExitWith ends this process with the engine.
func ExitWith() {
	go func() {
		<-Gone()
		os.Exit(0)
	}()
}
