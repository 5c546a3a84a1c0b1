module k8sauth.dev/test/modules

go 1.26

require (
	github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
	sigs.k8s.io/gateway-api v1.4.1
)
