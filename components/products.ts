import type { PolicyRule } from "./rbac/rules.ts";

/** Products of the setting `products`. A product adds its auth config, or permissions that its gateway needs, or both. */
export const products = ["consul", "infisical", "spire"] as const;
export type Product = (typeof products)[number];

interface Profile {
  /** Permissions that the reviewer needs besides `create tokenreviews`. */
  readonly rules: readonly PolicyRule[];
  /** Whether the product can authenticate to the API server with a client certificate. */
  readonly acceptsCertificates: boolean;
  /** Whether its auth config requires a CA, even if a public one signed the certificate of the host. */
  readonly needsCa: boolean;
}

const profiles: Readonly<Record<Product, Profile>> = {
  // Consul reads the service name from an annotation of the workload's ServiceAccount.
  consul: { rules: [{ resources: ["serviceaccounts"], verbs: ["get"] }], acceptsCertificates: false, needsCa: true },
  infisical: { rules: [], acceptsCertificates: false, needsCa: false },
  // The node attestor k8s_psat of SPIRE's server reads the agent's pod and node. Its kubeconfig may contain a token or a certificate.
  spire: { rules: [{ resources: ["pods", "nodes"], verbs: ["get"] }], acceptsCertificates: true, needsCa: false },
};

/** Permissions that a reviewer's credential needs for the products that accept it. */
export function productRules(selected: readonly Product[] = [], credential: "token" | "certificate"): PolicyRule[] {
  return selected
    .filter((product) => acceptsCredential(product, credential))
    .flatMap((product) => [...profiles[product].rules]);
}

/** Whether the product accepts such a credential. */
export function acceptsCredential(product: Product, credential: "token" | "certificate"): boolean {
  return credential === "token" || profiles[product].acceptsCertificates;
}

/** Whether the product's auth config requires a CA, even if a public one signed the certificate of the host. */
export function needsCa(product: Product): boolean {
  return profiles[product].needsCa;
}
