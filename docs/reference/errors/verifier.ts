import type { VerifierErrorCode } from "../../../verifier/errors.ts";
import type { ErrorText } from "./text.ts";

/** Errors that prevent a start or a decision of the verifier. These texts are not in its bundle, so that it stays small. */
export const verifier: Readonly<Record<VerifierErrorCode, ErrorText>> = {
  CONFIG_UNKNOWN_SETTING: {
    meaning: "A flag, a `K8SAUTH_VERIFIER_…` variable or a field of the configuration file is not a setting.",
    remedy: "Correct its name. `--help` lists all settings.",
  },
  CONFIG_INVALID: {
    meaning: "A setting has a value that is not accepted, is given twice, or is missing.",
    remedy: "Correct the setting that the message names. [The verifier](verifier.md#all-settings) describes them.",
  },
  CONFIG_FILE_UNREADABLE: {
    meaning: "The configuration file cannot be read.",
    remedy: "Check the path of `--config`, and that the process may read the file.",
  },
  CONFIG_FILE_MALFORMED: {
    meaning: "The configuration file is not a JSON object of settings, or its `issuers` is not a list of objects.",
    remedy: "Correct the file: one JSON object, with settings as fields.",
  },
  CONFIG_AUDIENCE_MISSING: {
    meaning: "No audience is set, so tokens for any audience would be accepted.",
    remedy: "Set `audience` (in a stack `verifierAudiences`) to the audience of the callers' projected tokens.",
  },
  CONFIG_AUDIENCE_API: {
    meaning:
      "An audience is the API server's own. Every pod has such a token, and this mode cannot see that one is revoked.",
    remedy: "Set `audience` to one that only your services use.",
  },
  CONFIG_ALLOW_MISSING: {
    meaning: "With several issuers, an entry has no `allow`.",
    remedy:
      'Set `allow` in each entry to the ServiceAccounts of that cluster that are accepted. `["*/*"]` accepts all.',
  },
  CONFIG_ISSUER_MISSING: {
    meaning:
      "`issuer` is not set. It is required with `publicKeyFile` and `jwksUri`, and in all entries of `issuers` except one.",
    remedy: "Set `issuer` to the value of `iss` in the tokens of that cluster.",
  },
  CONFIG_ISSUER_INVALID: {
    meaning:
      "The issuer has a form that is not accepted, or keys are to be fetched from it and it is not an https URL.",
    remedy:
      "Set `issuer` to the value of `iss` in the tokens. If no keys can be fetched from there, set `discoveryUrl`, `jwksUri` or `publicKeyFile`.",
  },
  CONFIG_ISSUER_TWICE: {
    meaning: "Two entries of `issuers` have the same name or the same issuer.",
    remedy: "Give each entry a different name and issuer. Clusters with the same issuer need a verifier each.",
  },
  CONFIG_KEYS_MISSING: {
    meaning: "The mode `jwt-pubkey` has no public keys.",
    remedy: "Set `publicKeyFile` (in a stack `verifierPublicKeys`), or use another mode.",
  },
  CONFIG_CONTRADICTION: {
    meaning: "Two settings contradict each other, or one needs another that is not set.",
    remedy: "Change or remove one of the settings that the message names.",
  },
  FILE_UNREADABLE: {
    meaning: "A file that a setting names cannot be read, is empty or is too large.",
    remedy:
      "Check that it is mounted, and that the process may read it. While the verifier runs, it uses the last good content.",
  },
  CA_INVALID: {
    meaning: "A CA file holds no PEM certificates.",
    remedy: "Mount the CA certificates of the server at the path in the message, PEM.",
  },
  TLS_INVALID: {
    meaning: "The certificate or key that the verifier serves with cannot be read, or they do not belong together.",
    remedy:
      "Set `tlsCertFile` and `tlsKeyFile` (in a stack `verifierTlsSecret`) to a PEM certificate chain and its key.",
  },
  TOKEN_FILE_INVALID: {
    meaning: "The file with the verifier's own token does not hold one line with a token.",
    remedy: "Mount a projected token at the path in the message.",
  },
  KEYS_MALFORMED: {
    meaning: "A key file or the answer of a key server is not a JWK set or PEM public keys, or holds a private key.",
    remedy: "Correct the file or the address. Give the verifier public keys only.",
  },
  KEYS_NONE_USABLE: {
    meaning: "The source was read and holds no key that verifies tokens. Tokens of the issuer are refused.",
    remedy:
      "Publish a public key for signatures: RSA of at least 2048 bits, ECDSA, Ed25519 or ML-DSA. The message says why each key was skipped.",
  },
  DISCOVERY_MALFORMED: {
    meaning: "The answer is not a discovery document with `issuer` and `jwks_uri`.",
    remedy: "Set `discoveryUrl` to the address before `/.well-known/openid-configuration`.",
  },
  DISCOVERY_ISSUER_MISMATCH: {
    meaning: "The discovery document is of another issuer than the one that is configured.",
    remedy: "Set `issuer` to the value of `iss` in the tokens, and `discoveryUrl` to the place of its document.",
  },
  DISCOVERY_ISSUER_TAKEN: {
    meaning: "A discovery document names an issuer that another entry of `issuers` has. Its keys are not used.",
    remedy:
      "Check `apiServer` and `discoveryUrl` of the entry. Two clusters with the same issuer need a verifier each, or another `--service-account-issuer` in one of them. See [Several issuers](verifier.md#several-issuers).",
  },
  DISCOVERY_JWKS_URI: {
    meaning: "The discovery document names a key set at an address that is not https or has a user.",
    remedy: "Correct `jwks_uri` at the issuer, or set `jwksUri` or `publicKeyFile`.",
  },
  NET_UNREACHABLE: {
    meaning: "The API server or the issuer cannot be reached. The message has the code of Node.js.",
    remedy: "Check the address, DNS, NetworkPolicies (`verifierEgressCidrs`) and firewalls.",
  },
  NET_TIMEOUT: {
    meaning: "The API server or the issuer did not answer in time.",
    remedy: "Check NetworkPolicies and firewalls, and the load of the server.",
  },
  NET_TLS: {
    meaning: "TLS with the API server or the issuer failed: its certificate is not trusted or has another name.",
    remedy: "Set `apiCaFile` or `caFile` to the CA of that server, and use a name that its certificate has.",
  },
  NET_PROXY: {
    meaning: "The proxy opened no tunnel to the issuer.",
    remedy: "Check `httpsProxy`, `noProxy` and what the proxy allows.",
  },
  NET_TOO_LARGE: {
    meaning: "The answer of the API server or the issuer is larger than the verifier accepts.",
    remedy: "Check that the address is of an API server, a discovery document or a key set.",
  },
  NET_PROTOCOL: {
    meaning: "The answer is not HTTP.",
    remedy: "Check the address, its port and the proxies between.",
  },
  NET_STATUS: {
    meaning: "The API server or the issuer answered with another status than expected.",
    remedy:
      "For 401 and 403, check the verifier's token and rights. For 404, check the address. For 5xx, check the server.",
  },
  REVIEW_UNAUTHORIZED: {
    meaning: "The API server does not accept the verifier's own token.",
    remedy: "Check that `apiTokenFile` is a projected token for this API server, which kubelet renews.",
  },
  REVIEW_FORBIDDEN: {
    meaning: "The verifier's ServiceAccount lacks the right to create TokenReviews.",
    remedy:
      "If its binding was deleted, run `pulumi up --refresh`. Otherwise bind it to a ClusterRole that grants `create` on `tokenreviews.authentication.k8s.io`.",
  },
  REVIEW_MALFORMED: {
    meaning: "The answer is not a TokenReview with a status.",
    remedy: "Check that `apiServer` is the address of an API server.",
  },
  LISTEN_FAILED: {
    meaning: "The verifier cannot listen on its address.",
    remedy: "Check that the port is free, and that the process may use it.",
  },
  INTERNAL: {
    meaning:
      "The verifier met an error that it does not expect. Errors of Node.js have their own code instead, such as `ENOSPC`.",
    remedy: "Report it with the log line: it is a defect of the verifier.",
  },
};
