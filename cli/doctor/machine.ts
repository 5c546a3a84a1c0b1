/** Checks this machine for Node.js, Pulumi, Go and the requirements of a sandbox's node. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { canRunNode, goVersion, isBinaryBuilt, nodeRemedy, SandboxError } from "../../sandbox/index.ts";
import { locatePulumi, oldestVersion } from "../../sandbox/pulumi/index.ts";
import type { Diagnosis } from "./diagnosis.ts";

interface Runtime {
  readonly version: string;
  readonly execPath: string;
  readonly features: { readonly typescript?: string | boolean };
}
const { nodeProblem } = createRequire(import.meta.url)("../../runtime/node.cjs") as {
  /** The reason why this Node.js cannot run the sources, and the remedy. */
  nodeProblem(runtime: Runtime): string | undefined;
};

/** Examines the machine. Builds and downloads nothing. */
export async function examineMachine(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Diagnosis[]> {
  return [await node(env), ...(await programs(env, signal)), sandboxNode()];
}

/** The Node.js on the PATH, which plain `pulumi` uses. */
async function node(env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const subject = "Node.js";
  const script = "JSON.stringify({ version: process.version, features: process.features, execPath: process.execPath })";
  try {
    const { stdout } = await promisify(execFile)("node", ["-p", script], { env });
    const runtime = JSON.parse(stdout) as Runtime;
    const seen = `${runtime.version}, ${runtime.execPath}`;
    const remedy = nodeProblem(runtime);
    return { subject, status: remedy === undefined ? "ok" : "note", seen, ...(remedy !== undefined && { remedy }) };
  } catch {
    const remedy = "Put it on the PATH, or run `npx --no k8sauth pulumi` instead of `pulumi`.";
    return { subject, status: "note", seen: "there is no working `node` on the PATH", remedy };
  }
}

/** Pulumi and Go. Without Pulumi, Go is needed to build it. */
async function programs(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Diagnosis[]> {
  const options = { env, signal };
  const go = await goVersion(options).catch(sandboxError);
  const built = go instanceof SandboxError ? false : await isBinaryBuilt(options);
  return [await pulumi(options, go), goDiagnosis(go, built)];
}

async function pulumi(
  options: { readonly env: NodeJS.ProcessEnv; readonly signal?: AbortSignal },
  go: string | SandboxError,
): Promise<Diagnosis> {
  const subject = "Pulumi CLI";
  const found = await locatePulumi(options).catch(sandboxError);
  if (!(found instanceof SandboxError)) {
    switch (found.source) {
      case "installed":
        return { subject, status: "ok", seen: `${found.version}, ${found.command}` };
      case "built":
        return { subject, status: "ok", seen: "built from Go modules; `npx --no k8sauth pulumi` runs it" };
      case "absent":
        return {
          subject,
          status: "note",
          seen: "not on the PATH; the first run of `k8sauth pulumi` or `npm start` builds it (8 to 25 minutes on two cores)",
          remedy: installPulumi,
        };
    }
  }
  if (found.code.startsWith("PULUMI_")) return { subject, status: "failed", seen: found.message };
  const seen = `not on the PATH, and Go cannot build it (${go instanceof SandboxError ? go.code : found.code})`;
  return { subject, status: "failed", seen, remedy: `${installPulumi} Or install Go.` };
}

const installPulumi = `Install Pulumi ${oldestVersion} or later: https://www.pulumi.com/docs/install/.`;

function goDiagnosis(go: string | SandboxError, built: boolean): Diagnosis {
  const subject = "Go";
  if (go instanceof SandboxError) {
    const remedy =
      "Install Go 1.26 or later: https://go.dev/dl/. Only the sandbox and a Pulumi CLI that is built need it.";
    const seen = go.code === "SANDBOX_GO_MISSING" ? "there is no `go` on the PATH" : firstLine(go.message);
    return { subject, status: "note", seen, remedy };
  }
  const kubernetes = built
    ? "the sandbox's Kubernetes is built"
    : "the first sandbox builds Kubernetes (5 to 15 minutes on two cores)";
  return { subject, status: "ok", seen: `${go}; ${kubernetes}` };
}

function sandboxNode(): Diagnosis {
  const subject = "sandbox with a node";
  const support = canRunNode();
  if (support.ok) return { subject, status: "ok", seen: "this machine can run pods" };
  const { missing } = support;
  return { subject, status: "note", seen: `missing: ${missing.join(", ")}`, remedy: nodeRemedy(missing) };
}

function sandboxError(error: unknown): SandboxError {
  if (error instanceof SandboxError) return error;
  throw error;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
