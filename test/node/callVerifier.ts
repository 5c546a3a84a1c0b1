import type { Sandbox } from "../../sandbox/index.ts";
import { apply, outputOf, type PodOptions, pod } from "./pods.ts";

/** What the verifier answers a pod that calls it with its mounted token, if it has one, as a service would with its caller's. */
export async function callVerifier(sandbox: Sandbox, url: string, caller: Omit<PodOptions, "script" | "args">) {
  const script = `
    import { readFileSync } from "node:fs";
    const headers = { accept: "application/json" };
    try { headers.authorization = "Bearer " + readFileSync("/var/run/secrets/tokens/token", "utf8"); } catch {}
    const response = await fetch("${url}/orders/1", { headers });
    console.log(JSON.stringify({ status: response.status, challenge: response.headers.get("www-authenticate"), body: await response.text() }));
  `;
  await apply(sandbox, pod({ ...caller, script }));
  const answer = JSON.parse(await outputOf(sandbox, caller.namespace, caller.name)) as {
    status: number;
    challenge: string;
    body: string;
  };
  return { ...answer, name: caller.name };
}
