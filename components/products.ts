import type { PolicyRule } from "./rbac/rules.ts";

/** Products whose auth config is created on request, or that need further permissions. */
export const products = ["consul", "infisical", "spire"] as const;
export type Product = (typeof products)[number];

interface Profile {
  /** What the reviewer must be allowed besides creating TokenReviews. */
  readonly rules: readonly PolicyRule[];
  /** Whether it can log in by a client certificate. */
  readonly takesCertificates: boolean;
  /** Whether its auth config needs the API server's CA also if a public CA signed the server's certificate. */
  readonly needsCa: boolean;
}

const profiles: Readonly<Record<Product, Profile>> = {
  // Consul reads the workload's account, for the service name that its annotation gives.
  consul: { rules: [{ resources: ["serviceaccounts"], verbs: ["get"] }], takesCertificates: false, needsCa: true },
  infisical: { rules: [], takesCertificates: false, needsCa: false },
  // The server's k8s_psat node attestor looks up the agent's pod and node; it reads a kubeconfig, of either kind.
  spire: { rules: [{ resources: ["pods", "nodes"], verbs: ["get"] }], takesCertificates: true, needsCa: false },
};

/** Further rights that a reviewer's credential needs, for the products that can use it. */
export function furtherRules(asked: readonly Product[] = [], credential: "token" | "certificate"): PolicyRule[] {
  return asked.filter((product) => takes(product, credential)).flatMap((product) => [...profiles[product].rules]);
}

/** Whether the product can use such a credential. */
export function takes(product: Product, credential: "token" | "certificate"): boolean {
  return credential === "token" || profiles[product].takesCertificates;
}

/** Whether the product's auth config needs the API server's CA in any case. */
export function needsCa(product: Product): boolean {
  return profiles[product].needsCa;
}
