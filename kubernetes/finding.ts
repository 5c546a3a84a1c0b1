/** Result of one check of a credential, a login or a cluster. */
export interface Finding {
  /** The property that is checked, as a sentence. */
  readonly claim: string;
  /** null if it could not be determined. */
  readonly holds: boolean | null;
  /** The observation that decides it. Never a secret. */
  readonly seen: string;
}
