package challenge

import (
	"context"
	"errors"
)

// ErrNone is what every attempt to get a certificate ends with.
var ErrNone = errors.New("this Traefik is built without an ACME client")

type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}
