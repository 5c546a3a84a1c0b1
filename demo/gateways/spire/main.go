// SPIRE's own node attestor k8s_psat, in this process: it is configured by the file of a SPIRE server that its argument names;
// then a line of JSON on standard input is an agent's attestation, a line on standard output is the answer. A test tool: no
// server is behind it, and it signs nothing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	nodeattestorv1 "github.com/spiffe/spire-plugin-sdk/proto/spire/plugin/server/nodeattestor/v1"
	configv1 "github.com/spiffe/spire-plugin-sdk/proto/spire/service/common/config/v1"
	"github.com/spiffe/spire/pkg/common/catalog"
	"github.com/spiffe/spire/pkg/server/plugin/nodeattestor/k8spsat"
	"google.golang.org/grpc"
)

type serverConfig struct {
	Server struct {
		TrustDomain string `hcl:"trust_domain"`
	} `hcl:"server"`
	Plugins ast.Node `hcl:"plugins"`
}

type answer struct {
	SpiffeID  string   `json:"spiffeId,omitempty"`
	Selectors []string `json:"selectors,omitempty"`
	Error     string   `json:"error,omitempty"`
}

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(file string) error {
	attestor, err := configured(file)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := answers.Encode(attest(attestor, lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// The attestor, as a server would configure it.
func configured(file string) (*k8spsat.AttestorPlugin, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config serverConfig
	if err := hcl.Decode(&config, string(text)); err != nil {
		return nil, err
	}
	plugins, err := catalog.PluginConfigsFromHCLNode(config.Plugins)
	if err != nil {
		return nil, err
	}
	for _, plugin := range plugins {
		if plugin.Type != "NodeAttestor" || plugin.Name != "k8s_psat" {
			continue
		}
		data, err := plugin.DataSource.Load()
		if err != nil {
			return nil, err
		}
		attestor := k8spsat.New()
		_, err = attestor.Configure(context.Background(), &configv1.ConfigureRequest{
			CoreConfiguration: &configv1.CoreConfiguration{TrustDomain: config.Server.TrustDomain},
			HclConfiguration:  data,
		})
		return attestor, err
	}
	return nil, errors.New("no NodeAttestor k8s_psat in the file")
}

func attest(attestor *k8spsat.AttestorPlugin, payload []byte) answer {
	stream := &exchange{payload: payload}
	if err := attestor.Attest(stream); err != nil {
		return answer{Error: err.Error()}
	}
	return stream.answer
}

// One attestation: the agent's payload, and what is answered to it.
type exchange struct {
	grpc.ServerStream
	payload []byte
	answer  answer
}

func (e *exchange) Context() context.Context { return context.Background() }

func (e *exchange) Recv() (*nodeattestorv1.AttestRequest, error) {
	if e.payload == nil {
		return nil, io.EOF
	}
	request := &nodeattestorv1.AttestRequest{Request: &nodeattestorv1.AttestRequest_Payload{Payload: e.payload}}
	e.payload = nil
	return request, nil
}

func (e *exchange) Send(response *nodeattestorv1.AttestResponse) error {
	attributes := response.GetAgentAttributes()
	e.answer = answer{SpiffeID: attributes.GetSpiffeId(), Selectors: attributes.GetSelectorValues()}
	return nil
}
