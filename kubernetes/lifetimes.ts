/** Lifetimes of credentials, in seconds. */

/** The API server and its signers issue nothing shorter. */
export const shortestLifetime = 600;
/** Of a token that is requested. */
export const defaultTokenLifetime = 30 * 24 * 3600;
/** Of a client certificate. */
export const defaultCertificateLifetime = 90 * 24 * 3600;
