import { type KubeClient, pathFor } from "../../kube/index.ts";

/** What the API server says of a token. */
export interface Review {
  readonly authenticated: boolean;
  readonly username: string;
  readonly audiences: readonly string[];
  readonly error: string;
}

interface TokenReviewAnswer {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: { readonly username?: string };
    readonly audiences?: readonly string[];
    readonly error?: string;
  };
}

/** Asks for a TokenReview with a client's own credential. Without an audience it is the API server's own. */
export async function review(client: KubeClient, token: string, audience: string): Promise<Review> {
  const { status } = await client.create<TokenReviewAnswer>(pathFor("authentication.k8s.io/v1", "TokenReview"), {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token, ...(audience && { audiences: [audience] }) },
  });
  return {
    authenticated: status?.authenticated === true,
    username: status?.user?.username ?? "",
    audiences: status?.audiences ?? [],
    error: status?.error ?? "",
  };
}

interface TokenRequestAnswer {
  readonly status: { readonly token: string };
}

/** A token of a ServiceAccount for ten minutes, the least that the API server gives. */
export async function mint(client: KubeClient, namespace: string, account: string, audience: string): Promise<string> {
  const path = `${pathFor("v1", "ServiceAccount", namespace, account)}/token`;
  const { status } = await client.create<TokenRequestAnswer>(path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 600, ...(audience && { audiences: [audience] }) },
  });
  return status.token;
}
