import type { RefusalReason } from "../../../verifier/errors.ts";

/** What to do about each refusal. Status and text of each are in verifier/errors.ts. */
export const refusalRemedies: Readonly<Record<RefusalReason, string>> = {
  no_token: "Send `Authorization: Bearer TOKEN`. Check that the gateway passes the header to the verifier.",
  malformed_request: "Send one `Authorization` header with one token: `Bearer TOKEN`.",
  malformed_token:
    "Send the content of the projected token file as it is, at most 8 KiB. Other tokens are not supported.",
  unsupported_header:
    "Send a token that Kubernetes issued. Headers that bring a key or change what is signed are refused.",
  unsupported_algorithm: "Send a token that Kubernetes issued. Symmetric algorithms and `none` are refused.",
  unknown_issuer:
    "Compare `iss` in the log line with `issuer` of the verifier. Add the caller's cluster to `issuers` if its tokens are to be accepted.",
  unknown_key:
    "The token is from another cluster with the same issuer, or from before a change of keys. Let the caller read its token file again. With `jwt-pubkey`, run `pulumi up` to get the current keys.",
  bad_signature: "The token was changed or forged. If all tokens are refused, check the keys of the issuer.",
  missing_claim:
    "Use a projected token, not the token of a Secret: those have no expiry. Only the mode `tokenreview` accepts tokens without one.",
  malformed_claim: "Send a token that Kubernetes issued. If it is one, report the claims without the signature.",
  expired: "Let the caller read its token file for each request: kubelet renews the token. Check the clocks.",
  not_yet_valid: "Check the clocks of the API server and of the verifier's node. 10 s of difference are accepted.",
  lifetime_too_long:
    "Set `expirationSeconds` of the projected token to 86400 or less, or raise `maxTokenLifetimeSeconds`.",
  wrong_audience: "Set `audience` of the caller's projected token to one of the verifier's audiences.",
  api_audience:
    "Mount a projected token with the verifier's audience alone. The token that Kubernetes mounts by default is for the API server.",
  not_a_service_account: "Use a token of a ServiceAccount. Tokens of users are not accepted.",
  claims_disagree: "Send a token that Kubernetes issued. If it is one, two clusters may have the same issuer.",
  review_refused:
    "Check that the pod and the ServiceAccount of the token exist. `detail` in the log line has the reason of the API server.",
  not_allowed: "Add a rule for the caller to `allow` (in a stack `verifierAllow`). The log line names the caller.",
  keys_unavailable: "Read `/readyz` and the log of the verifier, which name the reason. Then retry.",
  review_unavailable:
    "Check the API server, then retry. With `reviewOutage: local` the verifier accepts signed tokens while the API server is unavailable.",
  review_rejected: "Read `/readyz` and the log of the verifier, which name the reason, such as a deleted binding.",
  busy: "Retry after `Retry-After`. If it continues, raise `maxReviews` or the number of pods, and look for a flood of tokens.",
  internal: "Retry. If it returns, report it with the log line: it is a defect of the verifier.",
};
