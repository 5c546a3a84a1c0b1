import { isKubeError, type KubeClient } from "../../kube/index.ts";

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
  /** It may end, and nobody says when. */
  readonly unknown?: boolean;
}

/** Whoever steals a reviewer's credential must not be able to read anything with it. */
export async function readsNoSecrets(client: KubeClient, claim: string): Promise<Finding> {
  return forbidden(claim, () => client.get("/api/v1/secrets", { query: { limit: 1 } }));
}

/** A call that the API server must refuse for want of rights. */
export async function forbidden(claim: string, call: () => Promise<unknown>): Promise<Finding> {
  try {
    await call();
    return { claim, holds: false, seen: "it was allowed" };
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN")) return { claim, holds: true, seen: "forbidden" };
    return { claim, holds: false, seen: (error as Error).message };
  }
}
