import type { Finding } from "../checks/report.ts";
import { accounts, audiences, type Call, lodging, type Workloads } from "./scene.ts";

/** What each call must come to. */
const expected: Readonly<Record<Call, { readonly claim: string; readonly status: number }>> = {
  allowed: { claim: `A caller with a token for "${audiences.own}" is told by name`, status: 200 },
  foreign: { claim: `Its token for "${audiences.other}" is refused`, status: 401 },
  stranger: { claim: "A caller whom no rule lets in is refused", status: 403 },
};

/** Asks the verifier with tokens that it must accept, and with such that it must not. */
export async function checkVerifier(workloads: Workloads): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [call, { claim, status }] of Object.entries(expected) as [Call, (typeof expected)[Call]][]) {
    const answer = await workloads.callVerifier(call);
    const body = answer.body?.trim() ?? "";
    const known = call !== "allowed" || body === `system:serviceaccount:${lodging}:${accounts.caller}`;
    const seen = answer.error ?? `${answer.status} ${body.split("\n")[0]}`.trim();
    findings.push({ claim, holds: answer.status === status && known, seen });
  }
  return findings;
}
