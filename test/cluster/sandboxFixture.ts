/** Sandboxes in a separate state folder, for each file of tests that imports this. */
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { identify, type ProcessIdentity } from "../../sandbox/build/process.ts";
import { readAdmin } from "../../sandbox/cluster/handle.ts";
import { ensureBinary, listSandboxes, type Sandbox, stopSandbox } from "../../sandbox/index.ts";

export const soon = { timeout: 20_000, interval: 20 };
let home: string;
export let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "sandbox-test-"));
  env = { ...process.env, XDG_STATE_HOME: join(home, "state") };
  await ensureBinary();
});

afterAll(async () => {
  for (const { name } of await listSandboxes(env)) await stopSandbox(name, env);
  rmSync(home, { recursive: true, force: true });
});

type Answer = { status: number; body: Record<string, unknown> };
type CallOptions = { method?: string; body?: object; as?: { certPem: string; keyPem: string } };

/** One request to a sandbox, by default as its administrator. */
export function call(sandbox: Sandbox, path: string, { method = "GET", body, as }: CallOptions = {}): Promise<Answer> {
  const { certPem, keyPem } = as ?? readAdmin(sandbox.kubeconfig);
  const headers = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${sandbox.server}${path}`,
      // No agent: a connection kept from before a server was killed would answer for the new one.
      { agent: false, method, ca: sandbox.caPem, cert: certPem, key: keyPem, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => {
          const json = response.headers["content-type"] === "application/json";
          resolve({ status: response.statusCode ?? 0, body: json ? JSON.parse(text) : {} });
        });
      },
    );
    sent.on("error", reject).end(body && JSON.stringify(body));
  });
}

export async function mintedClaims(sandbox: Sandbox, audiences?: string[]): Promise<{ iss: string; aud: string[] }> {
  const answer = await call(sandbox, "/api/v1/namespaces/default/serviceaccounts/default/token", {
    method: "POST",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences } },
  });
  const { token } = answer.body.status as unknown as { token: string };
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

export function processesOf(sandbox: Sandbox): ProcessIdentity[] {
  const ids = Object.values(sandbox.pids).map((pid) => identify(pid));
  expect(ids).toHaveLength(4);
  return ids;
}
