// Vault's own Kubernetes auth method, in this process and with its storage in memory: a line of JSON on standard input
// is a request to it, a line on standard output is its answer. A test tool: it stores nothing and guards nothing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	kubeauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/sdk/logical"
)

// A call of Vault's HTTP API below the mount of the auth method.
type request struct {
	// "create", "update", "read" or "delete".
	Operation logical.Operation `json:"operation"`
	// "config", "role/NAME" or "login".
	Path string         `json:"path"`
	Data map[string]any `json:"data"`
}

type answer struct {
	Data     map[string]any    `json:"data,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Policies []string          `json:"policies,omitempty"`
	Warnings []string          `json:"warnings,omitempty"`
	Error    string            `json:"error,omitempty"`
}

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	storage := &logical.InmemStorage{}
	backend, err := kubeauth.Factory(ctx, &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr}),
		System:      &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour},
		StorageView: storage,
	})
	if err != nil {
		return err
	}
	if err := backend.Initialize(ctx, &logical.InitializationRequest{Storage: storage}); err != nil {
		return err
	}
	defer backend.Cleanup(ctx)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		if err := answers.Encode(handle(ctx, backend, storage, asked)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func handle(ctx context.Context, backend logical.Backend, storage logical.Storage, asked request) answer {
	response, err := backend.HandleRequest(ctx, &logical.Request{
		Operation:  asked.Operation,
		Path:       asked.Path,
		Data:       asked.Data,
		Storage:    storage,
		Connection: &logical.Connection{RemoteAddr: "127.0.0.1"},
	})
	var given answer
	if response != nil {
		given.Data = response.Data
		given.Warnings = response.Warnings
		if response.IsError() {
			given.Error = response.Error().Error()
		}
		if response.Auth != nil {
			given.Metadata = response.Auth.Metadata
			given.Policies = response.Auth.Policies
		}
	}
	if err != nil {
		given.Error = err.Error()
	}
	return given
}
