import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { goModule } from "../../support/goModule.ts";
import { kubectl as runKubectl } from "../../support/kubectl.ts";
import { program } from "../../support/project.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

let folder: string;
let kubeconfig: string;
let crds: string[];
const suffix = Math.random().toString(36).slice(2, 8);
/** The examples' namespaces, with names that no other test has. */
const namespaces = ["shop", "k8sauth-verifier"];

const kubectl = (...args: string[]) => runKubectl(folder, kubeconfig, ...args);

async function must(...args: string[]): Promise<void> {
  const { status, stderr } = await kubectl(...args);
  if (status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
}

/** Answer of the API server to a strict dry run of an example. */
async function dryRun(file: string, change: (text: string) => string = (text) => text) {
  const text = await readFile(join(program, "examples", "forward-auth", file), "utf8");
  const own = namespaces.reduce(
    (all, name) => all.replaceAll(`namespace: ${name}\n`, `namespace: ${name}-${suffix}\n`),
    change(text),
  );
  const path = join(folder, "example.yaml");
  await writeFile(path, own);
  return kubectl("apply", "--dry-run=server", "--validate=strict", "-f", path);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "forward-auth-"));
  kubeconfig = await readFile(workerKubeconfig(), "utf8");
  const experimental = join(await goModule("sigs.k8s.io/gateway-api"), "config", "crd", "experimental");
  crds = ["httproutes", "referencegrants"].map((name) => join(experimental, `gateway.networking.k8s.io_${name}.yaml`));
  for (const crd of crds) await must("apply", "--server-side", "-f", crd);
  for (const crd of crds) await must("wait", "--for=condition=Established", "--timeout=30s", "-f", crd);
  for (const name of namespaces) await must("create", "namespace", `${name}-${suffix}`);
});
afterAll(async () => {
  for (const crd of crds ?? []) await kubectl("delete", "--ignore-not-found", "-f", crd);
  for (const name of namespaces) await kubectl("delete", "namespace", "--wait=false", `${name}-${suffix}`);
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe("an API server accepts, by the products' own schemas,", () => {
  test("the HTTPRoute with the filter ExternalAuth, and what lets it refer to the verifier", async () => {
    const { status, stdout, stderr } = await dryRun("gateway-api/httproute.yaml");
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/httproute\S* created.*\n.*referencegrant\S* created/);
  });

  test("and would not, if a field had another name", async () => {
    const { status, stderr } = await dryRun("gateway-api/httproute.yaml", (text) =>
      text.replace("allowedResponseHeaders", "responseHeaders"),
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain("responseHeaders");
  });

  test("the Ingress", async () => {
    const { status, stderr } = await dryRun("ingress-nginx/ingress.yaml");
    expect(status, stderr).toBe(0);
  });
});
