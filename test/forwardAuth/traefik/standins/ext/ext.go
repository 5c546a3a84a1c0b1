// Package ext is for fields that other products add to Traefik's configuration. Traefik has none.
package ext

type HTTP struct{}

type Router struct{}
