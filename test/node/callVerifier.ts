import type { Sandbox } from "../../sandbox/index.ts";
import { apply, outputOf, type PodOptions, pod } from "./pods.ts";

/** Answer of the verifier to a pod that sends its mounted token, if it has one, as a service would send its caller's. */
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
