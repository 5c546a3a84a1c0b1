import type { KubeErrorCode } from "../../../kubernetes/errors.ts";
import type { ErrorText } from "./text.ts";

export const kubernetes: Readonly<Record<KubeErrorCode, ErrorText>> = {
  KUBECONFIG_NOT_FOUND: {
    meaning:
      "No kubeconfig was found, or the file that was named does not exist. With the context `in-cluster`: the process does not run in a pod.",
    remedy:
      "Set `kubeconfig`, or correct `KUBECONFIG`. [The kubeconfig](kubeconfig.md) describes where it is looked for.",
  },
  KUBECONFIG_UNREADABLE: {
    meaning: "The kubeconfig exists and cannot be read.",
    remedy: "Check that it is a file, and that your user may read it.",
  },
  KUBECONFIG_MALFORMED: {
    meaning: "The kubeconfig is not YAML or JSON, or does not have the structure of a kubeconfig.",
    remedy: "Correct the place that the message names. `kubectl config view` shows what kubectl reads.",
  },
  KUBECONFIG_NO_CONTEXT: {
    meaning: "The kubeconfig has no `current-context`, and no context was chosen.",
    remedy: "Choose a context: the setting `context` of a stack.",
  },
  KUBECONFIG_CONTEXT_UNKNOWN: {
    meaning: "The kubeconfig has no context with this name.",
    remedy: "Set `context` to one that the message lists, or use another kubeconfig.",
  },
  KUBECONFIG_CLUSTER_UNKNOWN: {
    meaning: "The context names no cluster, or one that the kubeconfig does not have.",
    remedy: "Correct `cluster` of the context, or add the cluster.",
  },
  KUBECONFIG_USER_UNKNOWN: {
    meaning: "The context names no user, or one that the kubeconfig does not have.",
    remedy: "Correct `user` of the context, or add the user.",
  },
  KUBECONFIG_SERVER_INVALID: {
    meaning: "`server` of the cluster is not a URL, or has credentials, a query or a fragment.",
    remedy: "Set it to a URL like `https://host:6443`.",
  },
  KUBECONFIG_INSECURE: {
    meaning: "The cluster is used without TLS verification: by `insecure-skip-tls-verify`, or by an `http` address.",
    remedy:
      "Use the https address, remove `insecure-skip-tls-verify` and set `certificate-authority-data`. Without TLS verification the server's answers cannot be trusted.",
  },
  KUBECONFIG_CA_MISSING: {
    meaning: "The file that `certificate-authority` names cannot be read.",
    remedy: "Correct the path, or put the CA into the kubeconfig as `certificate-authority-data`.",
  },
  KUBECONFIG_CA_INVALID: {
    meaning: "The CA has no certificate, or one that cannot be read.",
    remedy:
      "Set it to PEM with one or more `BEGIN CERTIFICATE` blocks; `certificate-authority-data` is base64 of that.",
  },
  KUBECONFIG_CREDENTIAL_MISSING: {
    meaning: "A token, certificate or key file that the user names cannot be read.",
    remedy: "Correct the path. Relative paths start at the folder of the kubeconfig.",
  },
  KUBECONFIG_CREDENTIAL_INVALID: {
    meaning:
      "The client certificate and the key do not belong together, or one of them is missing or cannot be read. Or a token or the name of an impersonated user has a character that no HTTP header can have.",
    remedy:
      "Set both to a pair that was issued together. Check tokens and names for line breaks. For an exec plugin, clear its cache and log in again.",
  },
  KUBECONFIG_EXEC_MISSING: {
    meaning: "The exec plugin of the user has no command, is not installed or may not be run.",
    remedy: "Install it, or put its folder on the PATH of the process that runs Pulumi.",
  },
  KUBECONFIG_EXEC_FAILED: {
    meaning: "The exec plugin could not be started, failed, or did not print an ExecCredential with a credential.",
    remedy:
      "Run its command in a terminal, with the arguments and variables of the kubeconfig. Log in again if it asks for it.",
  },
  KUBECONFIG_EXEC_TIMEOUT: {
    meaning: "The exec plugin printed no credential in time. It may be waiting for a login.",
    remedy: "Run its command in a terminal and log in. Then run the command again.",
  },
  KUBECONFIG_EXEC_RECURSION: {
    meaning:
      "The exec plugin calls itself: the plugin, or a command that it starts, uses the kubeconfig that names the plugin.",
    remedy:
      "Give the plugin a separate kubeconfig, or another credential. [Exec plugins](kubeconfig.md#exec-plugins) has the limits.",
  },
  KUBECONFIG_AUTH_PROVIDER: {
    meaning: "The `auth-provider` of the user has no valid ID token, or is one that kubectl no longer has.",
    remedy:
      "Run a command of kubectl, which renews the ID token of `oidc`. Change to an exec plugin for all others, and for scheduled runs.",
  },
  KUBE_UNREACHABLE_DNS: {
    meaning: "The host name of the API server cannot be resolved.",
    remedy: "Check the spelling, the resolver of this machine, and whether a VPN is needed.",
  },
  KUBE_UNREACHABLE: {
    meaning: "There is no route to the API server, or the connection failed for another reason of the network.",
    remedy: "Check the address, the network and proxies, and whether a VPN is needed.",
  },
  KUBE_REFUSED: {
    meaning: "The machine refused the connection: no process listens on this port.",
    remedy: "Check host and port, and that the API server runs.",
  },
  KUBE_TIMEOUT: {
    meaning: "The API server did not answer in time.",
    remedy: "Check the address, firewalls and the load of the server. Then run the command again.",
  },
  KUBE_RESET: {
    meaning: "The server closed the connection during a request.",
    remedy: "Run the command again. If the error returns, check the server and the proxies between.",
  },
  KUBE_TLS_UNTRUSTED: {
    meaning:
      "The certificate of the server is not signed by the CA of the kubeconfig or the setting, or by a public CA if none is set.",
    remedy:
      "Set the CA that signed the server's certificate. Behind a proxy or Rancher this is not the cluster's own CA.",
  },
  KUBE_TLS_NAME: {
    meaning: "The certificate of the server has another name than the address.",
    remedy:
      "Use a name that the certificate has, issue a certificate for this name, or set `tls-server-name` in the kubeconfig.",
  },
  KUBE_TLS_EXPIRED: {
    meaning: "A certificate in the server's chain has expired or is not valid yet.",
    remedy: "Renew the certificate of the server or of its CA, and check the clocks of both machines.",
  },
  KUBE_TLS_INVALID: {
    meaning: "The server's certificate chain breaks a rule of X.509, so that gateways written in Go reject it too.",
    remedy: "Issue another certificate for the server or its CA. The message names the rule.",
  },
  KUBE_TLS_PROTOCOL: {
    meaning: "TLS with the server failed before a certificate was checked.",
    remedy:
      "Check that the address is of an https server with TLS 1.2 or newer, and that client certificate and key belong together.",
  },
  KUBE_PROXY_INVALID: {
    meaning: "The proxy in `HTTPS_PROXY` or `proxy-url` is not the URL of a proxy.",
    remedy: "Set it to a URL like `http://host:port`, `https://host:port` or `socks5://host:port`.",
  },
  KUBE_PROXY_UNREACHABLE: {
    meaning: "The proxy cannot be reached, or opened no connection to the server in time.",
    remedy: "Check `HTTPS_PROXY`, `NO_PROXY` and `proxy-url` of the kubeconfig, and that the proxy runs.",
  },
  KUBE_PROXY_REFUSED: {
    meaning: "The proxy refused to connect to the API server.",
    remedy:
      "For status 407, put user and password into the proxy's URL. Otherwise allow the destination in the proxy, or list the server in `NO_PROXY` if it can be reached directly.",
  },
  KUBE_CANCELLED: {
    meaning: "The user or Pulumi cancelled the run during a request or while an exec plugin ran.",
    remedy: "Run the command again.",
  },
  KUBE_NOT_JSON: {
    meaning: "The answer is not a complete JSON object. It comes from a proxy, a login page or a console.",
    remedy: "Set the address of the API server itself.",
  },
  KUBE_BAD_REQUEST: {
    meaning: "The API server cannot read the request (status 400).",
    remedy: "Correct what the server's message names. Check that the server's version of Kubernetes is supported.",
  },
  KUBE_UNAUTHORIZED: {
    meaning:
      "The API server does not accept the credential (status 401): it expired, was revoked, or belongs to another cluster.",
    remedy: "Log in again, or get a new kubeconfig.",
  },
  KUBE_ANONYMOUS: {
    meaning: "The request reached the API server without a credential, as `system:anonymous`.",
    remedy:
      "Set a credential, or use an address at which no proxy removes it: see [Requests without a credential](kubeconfig.md#requests-without-a-credential). Grant no rights to `system:anonymous` or `system:unauthenticated`.",
  },
  KUBE_FORBIDDEN: {
    meaning: "The API server denies the request, because the user lacks a right (status 403).",
    remedy: "Grant the right that the message names to that user, or use another credential.",
  },
  KUBE_DENIED: {
    meaning:
      "A quota, an admission webhook, an admission policy, Pod Security or a firewall denied the request (status 403). No right is missing.",
    remedy:
      "Meet the rule that the message names, or ask its owner for an exception. See [Requests that are denied](kubeconfig.md#requests-that-are-denied).",
  },
  KUBE_REDIRECT: {
    meaning: "The server redirects the request. An API server does not, so this is a login page or a console.",
    remedy: "Set the address of the API server itself.",
  },
  KUBE_NOT_FOUND: {
    meaning: "The object or the path does not exist (status 404).",
    remedy: "Check the name and namespace, and that the address is of the cluster's API server.",
  },
  KUBE_CONFLICT: {
    meaning: "The object was changed at the same time, or another tool owns a field of it (status 409).",
    remedy:
      "Run the command again. For an owned field, remove it from one of the tools: `kubectl get --show-managed-fields` names the owner.",
  },
  KUBE_ALREADY_EXISTS: {
    meaning: "An object with this name exists.",
    remedy: "Set another name, or delete the object if nothing uses it.",
  },
  KUBE_GONE: {
    meaning: "The requested data no longer exists at the server (status 410), such as an old version of a list.",
    remedy: "Run the command again.",
  },
  KUBE_INVALID: {
    meaning: "The API server rejects the object as not valid (status 422).",
    remedy: "Correct the fields that the server's message names.",
  },
  KUBE_TOO_MANY_REQUESTS: {
    meaning: "The API server limits the rate of requests, and rejected this one (status 429).",
    remedy: "Run the command again later.",
  },
  KUBE_UNAVAILABLE: {
    meaning: "The API server, or a load balancer before it, is not available (status 502, 503 or 504).",
    remedy: "Check that the API server runs. Then run the command again.",
  },
  KUBE_SERVER_ERROR: {
    meaning: "The API server failed at the request (another status of 500 or above).",
    remedy: "Read the API server's log, and check webhooks of the cluster.",
  },
  KUBE_STATUS: {
    meaning: "The server answered with a status that the client does not know.",
    remedy: "Check that the address is of an API server, and read the server's message.",
  },
  KUBE_KIND_UNKNOWN: {
    meaning: "A program asked for a kind or API version that the client does not have.",
    remedy: "Use a kind and version that the message lists.",
  },
  KUBE_NAMESPACE_MISSING: {
    meaning: "A program named a namespaced object without its namespace.",
    remedy: "Set `metadata.namespace`.",
  },
};
