package dns01

import (
	"strings"
	"time"
)

type ChallengeOption any

type Options struct{ RecursiveNameservers []string }

type Client struct{}

func NewClient(*Options) *Client { return nil }

func SetDefaultClient(*Client) {}

func CondOptions(bool, ...ChallengeOption) ChallengeOption { return nil }

func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return nil }

func DisableRecursiveNSsPropagationRequirement() ChallengeOption { return nil }

func PropagationWait(time.Duration, bool) ChallengeOption { return nil }

// UnFqdn removes the dot at the end of a name.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
