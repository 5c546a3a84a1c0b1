/** Result of one check of a credential, a login or a cluster. */
export interface Finding {
  /** The property that is checked, as a sentence. */
  readonly claim: string;
  /** null: could not be determined. */
  readonly holds: boolean | null;
  /** Observation that decided it. Never a secret. */
  readonly seen: string;
}
