package tlsalpn01

import (
	"time"

	"github.com/go-acme/lego/v5/challenge"
)

type ChallengeOption any

func SetDelay(time.Duration) ChallengeOption { return nil }

// ACMETLS1Protocol is the protocol's name in TLS handshakes (RFC 8737 section 3).
const ACMETLS1Protocol = "acme-tls/1"

func ChallengeBlocks(_, _ string) ([]byte, []byte, error) { return nil, nil, challenge.ErrNone }
