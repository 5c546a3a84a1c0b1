import type { Finding } from "../kubernetes/finding.ts";
import { accounts, audiences, type Call, demoNamespace, type Workloads } from "./workloads/scenario.ts";

/** The result that each call must have. */
const expected: Readonly<Record<Call, { readonly claim: string; readonly status: number }>> = {
  allowed: { claim: `The verifier names a caller with a token for "${audiences.own}"`, status: 200 },
  "other-audience": { claim: `A token for "${audiences.other}" of the same caller is refused`, status: 401 },
  unlisted: { claim: "A caller that no rule allows is refused", status: 403 },
};

/** Calls the verifier with a token that it must accept and with tokens that it must refuse. */
export async function checkVerifier(workloads: Workloads): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [call, { claim, status }] of Object.entries(expected) as [Call, (typeof expected)[Call]][]) {
    const result = await workloads.callVerifier(call);
    const body = result.body?.trim() ?? "";
    const known = call !== "allowed" || body === `system:serviceaccount:${demoNamespace}:${accounts.caller}`;
    const seen = result.error ?? `${result.status} ${body.split("\n")[0]}`.trim();
    findings.push({ claim, holds: result.status === status && known, seen });
  }
  return findings;
}
