import { setTimeout as sleep } from "node:timers/promises";

/** Times around the revocation of a credential, in milliseconds of `performance.now()`. */
export interface End {
  /** The command that revokes it returned. */
  readonly ended: number;
  /** The API server refused it for the first time without its cache. */
  readonly known: number;
  /** The last accepted request was sent. */
  readonly lastAccepted: number;
  /** The first refused request was sent. */
  readonly firstRefused: number;
}

/**
 * Uses a credential repeatedly, revokes it, and returns when it was refused.
 *
 * @param used sends a request with the credential, and returns whether it was accepted
 * @param fresh the same, for a request that the API server cannot answer from its cache
 * @param end revokes the credential
 */
export async function useUntilRefused(
  used: () => Promise<boolean>,
  fresh: (round: number) => Promise<boolean>,
  end: () => Promise<unknown>,
): Promise<End> {
  if (!(await used())) throw new Error("the credential is refused before it is revoked");
  let lastAccepted = 0;
  const using = async () => {
    for (;;) {
      const sent = performance.now();
      if (!(await used())) return sent;
      lastAccepted = sent;
      await sleep(20);
    }
  };
  const asking = async () => {
    for (let round = 0; await fresh(round); round++) await sleep(20);
    return performance.now();
  };
  const ending = async () => {
    await end();
    return performance.now();
  };
  const [firstRefused, known, ended] = await Promise.all([using(), asking(), ending()]);
  return { ended, known, lastAccepted, firstRefused };
}
