package http01

import "time"

type ChallengeOption any

func SetDelay(time.Duration) ChallengeOption { return nil }

// PathPrefix is where a challenge is fetched (RFC 8555 section 8.3).
const PathPrefix = "/.well-known/acme-challenge/"
