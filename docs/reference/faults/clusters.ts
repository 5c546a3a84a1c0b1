import type { Section } from "./fault.ts";

const client = "unit/kubernetes/client.test.ts";
const faults = "cluster/certificate/faults.test.ts";
const input = "cluster/faults/input.test.ts";
const refused = "an up is refused before anything is created, with what is wrong and where:";
const host = "cluster/cluster/resource.test.ts";
const mismatch = "cluster/certificate/mismatch.test.ts";
const access = "cluster/cluster/deployerAccess.test.ts";
const configErrors = "unit/kubernetes/configErrors.test.ts";

export const clusters: Section = {
  title: "The connection to the cluster, and the kubeconfig",
  faults: [
    {
      fault: "429 with Retry-After, 500, 503, a reset connection",
      behaviour: "Requests that are safe to repeat are retried with growing pauses, up to the deadline.",
      tests: [
        [faults, "a certificate is signed despite faults on the way to the server, with one request"],
        [client, "what is tried again"],
        ["unit/properties/akeyless.test.ts", "waits no longer than its deadline, whatever pause the server asks for"],
      ],
    },
    {
      fault: "410 Gone during a wait",
      behaviour: "The object is read again, and the wait continues.",
      tests: [[faults, "a certificate is signed despite faults on the way to the server, with one request > %s"]],
    },
    {
      fault: "An answer never comes",
      behaviour: "Every request has a deadline, and is retried if that is safe.",
      tests: [
        [faults, "an answer that never comes is waited for no longer than the deadline says"],
        [faults, "one answer that never comes is asked for again"],
      ],
    },
    {
      fault: "401: the deployer's credential has expired or is unknown",
      behaviour: "There is no retry, and the error names the credential.",
      tests: [
        [faults, "a refused login is not tried again"],
        [access, "with an expired certificate gets an error that says so"],
      ],
    },
    {
      fault: "A proxy on the way drops the deployer's client certificate or token",
      behaviour: "The error says that no credential arrived, and advises no rights for anonymous users.",
      tests: [
        [
          access,
          "whose client certificate is dropped on the way gets an error that says so, and no advice to grant rights",
        ],
        ["unit/kubernetes/anonymous.test.ts", "a request that the API server attributes to system:anonymous"],
      ],
    },
    {
      fault: "A quota, a webhook, a policy or a firewall answers 403",
      behaviour: "The error quotes its message, and does not mention missing rights.",
      tests: [["unit/kubernetes/status.test.ts", "a 403"]],
    },
    {
      fault: "The deployer lacks rights",
      behaviour: "The preflight names all of them, and nothing is created.",
      tests: [
        [access, "who lacks rights learns all of them at once, by verb, resource and scope"],
        ["cluster/cluster/deployerRights.test.ts", "an up that lacks a right makes nothing, and names it"],
        [input, `${refused} > %s`],
      ],
    },
    {
      fault: "HTML, or JSON that is cut off",
      behaviour: "The error names the content type and shows none of the content.",
      tests: [
        [faults, "an answer that cannot be one is an error, and nothing of it is shown"],
        [client, "%s is not JSON, and is not quoted"],
      ],
    },
    {
      fault: "JSON with other types than in an answer of an API server",
      behaviour: "It is read, or the run fails with an error that has a code.",
      tests: [["unit/properties/clusterAnswers.test.ts", "an API server that answers something else"]],
    },
    {
      fault: "A name that does not resolve, a port where nothing listens, a silent server, another CA, another name",
      behaviour: "Each has a separate error.",
      tests: [
        [client, "the way to the server"],
        [host, "that refuses, does not resolve or stays silent: three different errors"],
        [host, "whose certificate carries another name is refused, with the names that it carries"],
      ],
    },
    {
      fault: "A server certificate that clients in Go reject",
      behaviour: "It is rejected here too, because gateways could not use the server.",
      tests: [
        [
          "process/kubernetes/serverIdentity.test.ts",
          "a server's certificate that Go refuses is refused, and not called unreachable",
        ],
      ],
    },
    {
      fault: "A proxy that refuses, does not answer, or is not a proxy",
      behaviour: "The error names the proxy, and does not show its password.",
      tests: [["unit/kubernetes/proxy.test.ts", "a failure of the proxy is called one"]],
    },
    {
      fault: "No kubeconfig, no context, a missing file, another cluster's or user's name",
      behaviour: "The run fails before it plans anything, and the error names what is missing and what exists.",
      tests: [
        [input, refused],
        [configErrors, "what is wrong with it"],
        [
          "cluster/stackSettings.test.ts",
          "without its settings file, as in a clone that lacks it, a stack's runs fail before anything is planned",
        ],
      ],
    },
    {
      fault: "`insecure-skip-tls-verify`, or a server without TLS",
      behaviour: "It is refused.",
      tests: [[configErrors, "what is wrong with it > %s"]],
    },
    {
      fault: "`NODE_TLS_REJECT_UNAUTHORIZED=0` in the environment",
      behaviour: "It has no effect: plugin, commands, verifier and the client of services verify every server.",
      tests: [
        ["unit/tlsVariable.test.ts", "the plugin and the commands verify the API server"],
        ["unit/tlsVariable.test.ts", "they verify the API server behind a proxy"],
        ["unit/tlsVariable.test.ts", "they verify a proxy"],
        ["unit/tlsVariable.test.ts", "the verifier verifies the issuer and the API server"],
        ["unit/tlsVariable.test.ts", "the client of services verifies the service"],
      ],
    },
    {
      fault: "Several clusters, users and contexts in one or several files",
      behaviour: "Only the named context counts, as for kubectl.",
      tests: [
        [
          "cluster/token/kubeconfig.test.ts",
          "several contexts, a CA file and the KUBECONFIG variable lead to the same",
        ],
        ["cluster/cluster/kubectl.test.ts", "a kubeconfig that kubectl reads is read the same"],
      ],
    },
    {
      fault: "A kubeconfig with any value in any field",
      behaviour: "It is read, or refused with an error that has a code and shows no credential.",
      tests: [["unit/properties/kubeconfigs.test.ts", "a kubeconfig"]],
    },
    {
      fault: "An exec plugin is missing, fails, hangs, prints something else or calls itself",
      behaviour:
        "The error quotes the plugin's output without credentials of [known forms](kubeconfig.md#exec-plugins), and all its processes end.",
      tests: [
        ["process/kubernetes/execPlugin.test.ts", "an exec plugin that fails"],
        ["process/kubernetes/execPlugin.test.ts", "an exec plugin ends, with everything that it started,"],
        ["process/kubernetes/execPlugin.test.ts", "an exec plugin that uses the kubeconfig that it serves"],
      ],
    },
    {
      fault: "A client certificate and a key that do not belong together",
      behaviour: "The run fails before any request, and the error names both fields.",
      tests: [[access, "whose certificate and key do not belong together is refused before any request"]],
    },
    {
      fault: "The kubeconfig leads to another cluster than the stack's",
      behaviour: "The run fails, and the error has both identities.",
      tests: [[host, "a kubeconfig of another one is refused with both identities"]],
    },
    {
      fault: "The host shows another certificate than the pinned one",
      behaviour: "The run fails and shows both fingerprints.",
      tests: [
        [
          "cluster/cluster/rancherCa.test.ts",
          "another CA than the pinned one is refused, and both fingerprints are shown",
        ],
        [
          "cluster/cluster/rancherCa.test.ts",
          "notices another CA ever after, shows both, and goes on with the pin of the new one",
        ],
      ],
    },
    {
      fault: "The host shows no CA, an expired certificate, a redirect or TLS 1.1",
      behaviour: "The run fails with the reason.",
      tests: [["cluster/cluster/rancherCa.test.ts", "%s is refused with its reason"]],
    },
    {
      fault: "Discovery is off, forbidden or names another issuer",
      behaviour: "The issuer is read from a requested token, or an output says why it is not known.",
      tests: [
        [host, "an issuer that switches discovery off is said, with the reason"],
        [access, "who may not read the discovery document forgets no issuer"],
      ],
    },
    {
      fault: "A host for the gateway that only this machine or only pods can reach",
      behaviour: "It is refused, unless the gateway is on this machine.",
      tests: [
        [host, "is not a loopback address unless that is allowed"],
        [
          "unit/properties/names.test.ts",
          "addresses of this machine and of no machine are distinguished in every spelling",
        ],
      ],
    },
    {
      fault: "PEM that is indented, wrapped, with CRLF, in base64 or encoded twice",
      behaviour: "It is converted to one form, or refused with the name of its field.",
      tests: [
        ["unit/properties/pem.test.ts", "PEM"],
        ["unit/gateways/encoding.test.ts", "certificates"],
      ],
    },
    {
      fault: "The server is older than 1.28 or 1.22",
      behaviour: "The missing part of the answer is determined in another way.",
      tests: [
        [mismatch, "a server older than 1.28 that does not say who asks: its own copy of the request does"],
        [mismatch, "a server older than 1.22 that drops the lifetime"],
      ],
      gap: "Both servers are emulated: a proxy removes what they do not send.",
    },
  ],
};
