// Asks Go's own libraries what a client written in Go does. Reads questions as JSON from stdin and prints the answers in their order.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"golang.org/x/net/http/httpproxy"
)

type questions struct {
	Proxies    []proxyQuestion
	Handshakes []handshakeQuestion
}

type proxyQuestion struct {
	Server     string
	HTTPSProxy string
	NoProxy    string
}

type handshakeQuestion struct {
	Address string
	Name    string
	CA      string
}

type answers struct {
	// The proxy, or "" for a direct connection.
	Proxies []string
	// The error, or "" for a handshake that succeeded.
	Handshakes []string
}

func proxyOf(question proxyQuestion) string {
	config := httpproxy.Config{HTTPSProxy: question.HTTPSProxy, NoProxy: question.NoProxy}
	server, err := url.Parse(question.Server)
	if err != nil {
		return "error: " + err.Error()
	}
	proxy, err := config.ProxyFunc()(server)
	if err != nil {
		return "error: " + err.Error()
	}
	if proxy == nil {
		return ""
	}
	return proxy.Scheme + "://" + proxy.Host
}

func handshake(question handshakeQuestion) string {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(question.CA)) {
		return "the CA cannot be read"
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", question.Address, &tls.Config{RootCAs: roots, ServerName: question.Name})
	if err != nil {
		return err.Error()
	}
	connection.Close()
	return ""
}

func main() {
	var asked questions
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	given := answers{Proxies: []string{}, Handshakes: []string{}}
	for _, question := range asked.Proxies {
		given.Proxies = append(given.Proxies, proxyOf(question))
	}
	for _, question := range asked.Handshakes {
		given.Handshakes = append(given.Handshakes, handshake(question))
	}
	json.NewEncoder(os.Stdout).Encode(given)
}
