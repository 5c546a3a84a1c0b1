/** Fields of auth configs whose text is always masked. In other fields, only texts that contain a JWT or a private key are masked. */
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

/** A copy of an auth config with masked secrets, for display. */
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

/** Whether a text, such as a kubeconfig, contains a token or a private key. */
function looksSecret(text: string): boolean {
  if (jwt.test(text) || privateKey.test(text)) return true;
  return (text.match(base64) ?? []).some((part) => privateKey.test(Buffer.from(part, "base64").toString("latin1")));
}
