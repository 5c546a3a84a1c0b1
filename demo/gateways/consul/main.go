// Consul's own Kubernetes auth method, in this process: a line of JSON on standard input is a request to it, a line on standard
// output is its answer. A test tool: no agent is behind it, and it gives no tokens. The version is one under the MPL that builds
// from Go modules alone.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/consul/agent/consul/authmethod"
	"github.com/hashicorp/consul/agent/consul/authmethod/kubeauth"
	"github.com/hashicorp/consul/agent/structs"
)

// Either an auth method's config, as `consul acl auth-method create -config` takes it, or a workload's login.
type request struct {
	Config map[string]any `json:"config"`
	Login  string         `json:"login"`
}

type answer struct {
	// What binding rules can use of the workload: serviceaccount.name and so on.
	Vars  map[string]string `json:"vars,omitempty"`
	Error string            `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	var method authmethod.Validator
	for lines.Scan() {
		var given answer
		if err := handle(lines.Bytes(), &method, &given); err != nil {
			given.Error = err.Error()
		}
		if err := answers.Encode(given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func handle(line []byte, method *authmethod.Validator, given *answer) error {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return err
	}
	if asked.Config != nil {
		validator, err := kubeauth.NewValidator(&structs.ACLAuthMethod{
			Name:   "kubernetes",
			Type:   "kubernetes",
			Config: asked.Config,
		})
		if err == nil {
			*method = validator
		}
		return err
	}
	if *method == nil {
		return errors.New("there is no auth method")
	}
	identity, err := (*method).ValidateLogin(context.Background(), asked.Login)
	if err == nil {
		given.Vars = identity.ProjectedVars
	}
	return err
}
