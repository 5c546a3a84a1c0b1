/** Epochs of credentials, named by the user. Each epoch has its own keys, certificates and tokens, which work while the epoch is listed. */
export interface Rotation {
  /** Epoch of the credentials in outputs and at gateways. */
  readonly current: string;
  /**
   * Epochs whose credentials keep working. `""` is the epoch of credentials that were created without a rotation.
   *
   * @default []
   */
  readonly previous?: readonly string[];
}

/** Epochs become part of names of objects, which end at 253 characters. */
export const longestEpoch = 32;

/** A ServiceAccount's name is limited to this many characters, so that its Secret's name always has room for an epoch. */
export const accountNameLimit = 253 - "-bound-token-".length - longestEpoch;

/** The listed epochs, the current one first. Without a rotation there is one, `""`. */
export function epochsOf(rotation: Rotation | undefined): readonly [current: string, ...previous: string[]] {
  return rotation === undefined ? [""] : [rotation.current, ...(rotation.previous ?? [])];
}

/** `NAME-EPOCH`; in the epoch `""` the name itself. */
export function nameIn(epoch: string, name: string): string {
  return epoch === "" ? name : `${name}-${epoch}`;
}
