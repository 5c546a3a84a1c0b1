/** Fields of auth configs, in the products' own spelling, that let their holder act as somebody. */
const secretFields = new Set([
  "token",
  "signing-key",
  "token-reviewer-jwt",
  "k8s-client-key",
  "privateKeyPem",
  "rancher-api-key",
  "token_reviewer_jwt",
]);

/** A copy of an auth config in which what is secret is masked: to show what it is like, not to use it. */
export function maskSecretFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecretFields);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretFields.has(key) && typeof item === "string" ? "[secret]" : maskSecretFields(item),
    ]),
  );
}
