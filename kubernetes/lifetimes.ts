/** Lifetimes of credentials, in seconds. */

/** The shortest lifetime that the API server and its signers accept. */
export const shortestLifetime = 600;
/** Default lifetime of a requested token. */
export const defaultTokenLifetime = 30 * 24 * 3600;
/** Default lifetime of a client certificate. */
export const defaultCertificateLifetime = 90 * 24 * 3600;
