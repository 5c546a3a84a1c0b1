package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// What the supervisor tells a process that it starts.
const (
	// lifelineVariable holds the number of a file descriptor that ends when the supervisor does.
	lifelineVariable = "K8SAUTH_SANDBOX_LIFELINE"
	// awaitVariable names what must answer before the process begins its work: unix:PATH or an https URL.
	awaitVariable = "K8SAUTH_SANDBOX_AWAIT"
	// awaitCAVariable is the file with the CA of that URL.
	awaitCAVariable = "K8SAUTH_SANDBOX_AWAIT_CA"
)

// followSupervisor ends this process as soon as the supervisor is gone, however that one died.
func followSupervisor() {
	fd, err := strconv.Atoi(os.Getenv(lifelineVariable))
	if err != nil {
		return
	}
	os.Unsetenv(lifelineVariable)
	lifeline := os.NewFile(uintptr(fd), "lifeline")
	closeOnExec(fd)
	go func() {
		_, _ = lifeline.Read(make([]byte, 1))
		os.Exit(1)
	}()
}

// awaitDependency returns when the server that this process needs first has come up. All processes of a sandbox are started
// at once, so that their initialisation runs side by side; what polls once in a second by itself would lose that second.
func awaitDependency() {
	target := os.Getenv(awaitVariable)
	if target == "" {
		return
	}
	answers := httpsAnswers
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		target, answers = path, socketAnswers
	}
	deadline := time.Now().Add(time.Minute)
	for !answers(target) {
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "no answer within a minute from", target)
			os.Exit(1)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func socketAnswers(path string) bool {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func httpsAnswers(url string) bool {
	if awaitClient == nil {
		pem, err := os.ReadFile(os.Getenv(awaitCAVariable))
		if err != nil {
			return false
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		awaitClient = &http.Client{
			Timeout:   2 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		}
	}
	response, err := awaitClient.Get(url)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

var awaitClient *http.Client
