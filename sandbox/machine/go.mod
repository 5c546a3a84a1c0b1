module k8sauth/sandbox/machine

go 1.26.0
