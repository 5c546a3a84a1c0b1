import type { PolicyRule } from "./rules.ts";

/** Products that want something of the stack beyond what every stack has: an auth config when asked for, or further rights. */
export const products = ["consul", "infisical", "spire"] as const;
export type Product = (typeof products)[number];

interface Profile {
  /** What the reviewer must be allowed besides creating TokenReviews. */
  readonly rules: readonly PolicyRule[];
  /** Whether it can log in by a client certificate. */
  readonly takesCertificates: boolean;
}

const profiles: Readonly<Record<Product, Profile>> = {
  // Consul reads the workload's account, for the service name that its annotation gives.
  consul: { rules: [{ resources: ["serviceaccounts"], verbs: ["get"] }], takesCertificates: false },
  infisical: { rules: [], takesCertificates: false },
  // The server's k8s_psat node attestor looks up the agent's pod and node; it reads a kubeconfig, of either kind.
  spire: { rules: [{ resources: ["pods", "nodes"], verbs: ["get"] }], takesCertificates: true },
};

/** Further rights that a reviewer's credential needs, for the products that can use it. */
export function furtherRules(asked: readonly Product[] = [], credential: "token" | "certificate"): PolicyRule[] {
  return asked.filter((product) => takes(product, credential)).flatMap((product) => [...profiles[product].rules]);
}

/** Whether the product can use such a credential. */
export function takes(product: Product, credential: "token" | "certificate"): boolean {
  return credential === "token" || profiles[product].takesCertificates;
}
