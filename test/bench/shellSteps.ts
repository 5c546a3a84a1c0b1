/**
 * The steps by hand from the guides of gateway products, as one shell script for each flow: the mark to compare with. `$K` is
 * kubectl with its kubeconfig, `$W` a working folder, `$N` the name of its own namespace and objects.
 */
export const tokenSteps = `
set -e
$K create namespace $N >/dev/null
$K apply -f - >/dev/null <<EOF
apiVersion: v1
kind: ServiceAccount
metadata: {name: gateway-token-reviewer, namespace: $N}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: $N}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:auth-delegator}
subjects: [{kind: ServiceAccount, name: gateway-token-reviewer, namespace: $N}]
---
apiVersion: v1
kind: Secret
metadata:
  name: gateway-token-reviewer-token
  namespace: $N
  annotations: {kubernetes.io/service-account.name: gateway-token-reviewer}
type: kubernetes.io/service-account-token
EOF
until [ -n "$($K get secret gateway-token-reviewer-token -n $N -o 'jsonpath={.data.token}')" ]; do :; done
$K get secret gateway-token-reviewer-token -n $N -o 'go-template={{.data.token | base64decode}}' >$W/token
$K config view --raw --minify --flatten -o 'jsonpath={.clusters[].cluster.certificate-authority-data}' >$W/ca
`;

export const certificateSteps = `
set -e
openssl req -new -newkey rsa:2048 -nodes -keyout $W/key.pem -subj "/O=gateways/CN=$N" -out $W/csr.pem 2>/dev/null
$K apply -f - >/dev/null <<EOF
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $N}
spec:
  request: $(base64 -w0 <$W/csr.pem)
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
EOF
$K certificate approve $N >/dev/null
until [ -n "$($K get csr $N -o 'jsonpath={.status.certificate}')" ]; do :; done
$K get csr $N -o 'jsonpath={.status.certificate}' >$W/certificate
$K apply -f - >/dev/null <<EOF
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: $N-user}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:auth-delegator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: $N}]
EOF
`;

/** Undoes both. */
export const cleanSteps = `
$K delete clusterrolebinding $N $N-user --ignore-not-found >/dev/null
$K delete csr $N --ignore-not-found >/dev/null
$K delete namespace $N --wait=false >/dev/null
`;
