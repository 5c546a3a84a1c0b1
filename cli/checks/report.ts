/** What one check found. */
export interface Finding {
  /** What ought to be so, as a sentence. */
  readonly claim: string;
  readonly holds: boolean;
  /** What was seen. Never a secret. */
  readonly seen: string;
}

/** A credential's life, for the list of what expires when. */
export interface Expiry {
  readonly credential: string;
  readonly subject: string;
  /** RFC 3339; "" for one that does not expire. */
  readonly notAfter: string;
}
