/** The policies as objects, for your own pack and for tests. index.ts creates the pack. */
import type { Policies } from "@pulumi/policy";
import { bindingRules } from "./rules/bindings.ts";
import { certificateRules } from "./rules/certificates.ts";
import { credentialRules } from "./rules/credentials.ts";
import { hostRules } from "./rules/hosts.ts";
import { namespaceRules } from "./rules/namespaces.ts";
import { reviewerRules } from "./rules/reviewers.ts";
import { roleRules } from "./rules/roles.ts";
import { secretRules } from "./rules/secrets.ts";
import { tokenRules } from "./rules/tokens.ts";
import { verifierRules } from "./rules/verifier.ts";
import { workloadRules } from "./rules/workloads.ts";

/** All policies. @param now the clock of policies that compare dates */
export function makePolicies(now: () => Date = () => new Date()): Policies {
  return [
    ...bindingRules,
    ...reviewerRules,
    ...roleRules,
    ...tokenRules,
    ...certificateRules,
    ...credentialRules(now),
    ...namespaceRules,
    ...workloadRules,
    ...verifierRules,
    ...secretRules,
    ...hostRules,
  ];
}

export const policies: Policies = makePolicies();
