/** Epochs of credentials, named by the user. Each epoch has its own keys, certificates and tokens, which work while the epoch is listed. */
export interface Rotation {
  /** Epoch of the credentials in outputs and at gateways. */
  readonly current: string;
  /**
   * Epochs whose credentials stay valid until they expire. They are not renewed. `""` is the epoch of credentials that were created without a
   * rotation.
   *
   * @default []
   */
  readonly previous?: readonly string[];
}

/** Longest epoch. Epochs are part of object names, which have at most 253 characters. */
export const longestEpoch = 32;

/** Longest name of a ServiceAccount. The name of its Secret has room for the longest epoch. */
export const accountNameLimit = 253 - "-bound-token-".length - longestEpoch;

/** The listed epochs, the current one first. Without a rotation there is one, `""`. */
export function epochsOf(rotation: Rotation | undefined): readonly [current: string, ...previous: string[]] {
  return rotation === undefined ? [""] : [rotation.current, ...(rotation.previous ?? [])];
}

/** `NAME-EPOCH`; the name itself in the epoch `""`. */
export function nameInEpoch(epoch: string, name: string): string {
  return epoch === "" ? name : `${name}-${epoch}`;
}
