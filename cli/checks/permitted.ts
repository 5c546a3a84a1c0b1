import { describeRight, missingRights, type Right } from "../../kubernetes/cluster/rights.ts";
import type { Finding } from "../../kubernetes/finding.ts";
import type { KubeClient } from "../../kubernetes/index.ts";

/** Proofs that need rights of the deployer. */
export interface PermittedProof {
  /** Claim of the finding that replaces the proofs if rights are missing. */
  readonly claim: string;
  readonly rights: readonly Right[];
  readonly prove: () => Promise<Finding[]>;
}

/**
 * Runs the proofs if the deployer has all rights for them. Otherwise it runs none, so that the deployer creates no object that it may not
 * delete, and returns one finding with the missing rights. `holds` of this finding is null.
 *
 * @throws KubeError
 */
export async function ifPermitted(deployer: KubeClient, { claim, rights, prove }: PermittedProof): Promise<Finding[]> {
  const missing = await missingRights(deployer, rights);
  if (missing.length === 0) return prove();
  const list = missing.map(describeRight).join("; ");
  const seen = `not checked, nothing was created. The kubeconfig's user lacks: ${list}. examples/deployer-rights/README.md has the rights of a check`;
  return [{ claim, holds: null, seen }];
}
