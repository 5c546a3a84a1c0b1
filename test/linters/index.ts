/** Findings of common linters about manifests: kube-score, and kubeconform with the schemas of a real API server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { KubeClient, KubeObject } from "../../kubernetes/index.ts";
import { type BuildOptions, ensureProgram, type GoProgram } from "../../sandbox/build/build.ts";
import { writeSchemas } from "./schemas.ts";

const linterProgram: GoProgram = {
  name: "linters",
  title: "kube-score and kubeconform",
  source: fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, ""),
};

/** One thing that a linter does not like. */
export interface Finding {
  readonly linter: "kube-score" | "kubeconform";
  /** `KIND/NAME`. */
  readonly object: string;
  /** The check's id for kube-score, `schema` for kubeconform. */
  readonly check: string;
  /** Where in the object, as the linter says it. */
  readonly path: string;
  readonly message: string;
}

export interface LintReport {
  /** How many objects were compared with a schema. */
  readonly validated: number;
  /** How many checks said yes or no about an object. */
  readonly scored: number;
  readonly findings: readonly Finding[];
}

/** Built from Go modules on first use, as the sandbox is. @throws SandboxError */
export function ensureLinters(options: BuildOptions = {}): Promise<string> {
  return ensureProgram(linterProgram, options);
}

/** Lints manifests that belong together: what selects a pod is found among them. Every check of kube-score is on. */
export async function lint(client: KubeClient, manifests: readonly KubeObject[]): Promise<LintReport> {
  const schemas = await mkdtemp(join(tmpdir(), "k8sauth-schemas-"));
  try {
    await writeSchemas(client, manifests, schemas);
    const { major, minor } = await client.get<{ major: string; minor: string }>("/version");
    const documents = manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n");
    return JSON.parse(await run(await ensureLinters(), [schemas, `v${major}.${minor}`], documents)) as LintReport;
  } finally {
    await rm(schemas, { recursive: true, force: true });
  }
}

async function run(binary: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(binary, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // It says on stderr why it reads no more.
  child.stdin.end(input);
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code !== 0) throw new Error(`the linters ended with status ${code}: ${errors}`);
  return output;
}
