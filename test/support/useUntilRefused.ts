import { setTimeout as sleep } from "node:timers/promises";

/** A credential's end, in milliseconds of `performance.now()`. */
export interface End {
  /** When the command that ends it had returned. */
  readonly ended: number;
  /** When an API server that remembers nothing about the credential had refused it for the first time. */
  readonly known: number;
  /** When the last request that was accepted had been sent. */
  readonly lastAccepted: number;
  /** When the first request that was refused had been sent. */
  readonly firstRefused: number;
}

/**
 * Uses a credential without a pause, ends it, and returns when it was refused.
 *
 * @param used a request with the credential: whether it was accepted
 * @param fresh asks the API server about the credential in a way that it cannot answer from its memory
 */
export async function useUntilRefused(
  used: () => Promise<boolean>,
  fresh: (round: number) => Promise<boolean>,
  end: () => Promise<unknown>,
): Promise<End> {
  if (!(await used())) throw new Error("the credential is refused before it ends");
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
