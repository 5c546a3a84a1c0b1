module k8sauth/sandbox/pulumi/engine

go 1.26.0
