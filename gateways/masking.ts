/** Fields of auth configs, in the products' own spelling, that let their holder act as somebody. */
const secretFields = new Set([
  "token",
  "signing-key",
  "token-reviewer-jwt",
  "k8s-client-key",
  "privateKeyPem",
  "rancher-api-key",
  "token_reviewer_jwt",
  "ServiceAccountJWT",
  "tokenReviewerJwt",
]);

/** A copy of an auth config in which what is secret is masked: to show what it is like, not to use it. */
export function maskSecretFields(value: unknown): unknown {
  if (typeof value === "string") return looksSecret(value) ? "[secret]" : value;
  if (Array.isArray(value)) return value.map(maskSecretFields);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretFields.has(key) && typeof item === "string" ? "[secret]" : maskSecretFields(item),
    ]),
  );
}

const jwt = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const base64 = /[A-Za-z0-9+/]{40,}={0,2}/g;

/** A token or private key anywhere in a text, whatever field it stands in: a kubeconfig, say. */
function looksSecret(text: string): boolean {
  if (jwt.test(text) || privateKey.test(text)) return true;
  return (text.match(base64) ?? []).some((part) => privateKey.test(Buffer.from(part, "base64").toString("latin1")));
}
