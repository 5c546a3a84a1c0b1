import { randomBytes } from "node:crypto";
import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { ensureProgram, nodePrograms } from "../build/build.ts";
import { SandboxError } from "../build/errors.ts";
import { type Progress, ProgressMeter } from "../build/progress.ts";
import type { KeyPair } from "../cluster/certificate.ts";
import { kubeconfigText } from "../cluster/kubeconfig.ts";
import { issueClientCertificate, issueServingCertificate, type SandboxPki, tenYearsSeconds } from "../cluster/pki.ts";
import { files } from "../cluster/plan.ts";
import { builtinImages, cachedArchive } from "./builtinImages.ts";
import { inside } from "./machine.ts";
import { type NodePlanInput, nodeConfiguration, nodeFiles } from "./plan.ts";
import { canRunNode, nodeRemedy, nodeTools } from "./requirements.ts";

/** Parts of a node that are created before the sandbox. */
export interface NodeParts {
  readonly name: string;
  /** Parent cgroup of the pods, unique for each sandbox. */
  readonly cgroup: string;
  /** Paths of binaries. */
  readonly machine: string;
  readonly dns: string;
  /** The kubelet's certificate as a client and as a server. */
  readonly client: KeyPair;
  readonly serving: KeyPair;
  /** Paths of the built-in images' archives. */
  readonly archives: readonly string[];
}

export interface PrepareOptions {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** @throws SandboxError SANDBOX_NODE_UNSUPPORTED that lists all missing requirements */
export function checkNodeSupport(): void {
  const support = canRunNode();
  if (support.ok) return;
  throw new SandboxError(
    "SANDBOX_NODE_UNSUPPORTED",
    `A sandbox with a node cannot run here. Missing: ${support.missing.join(", ")}. ${nodeRemedy(support.missing)} Or start the sandbox without a node.`,
  );
}

/** Builds the node's programs and images if they are not cached, and creates its certificates. */
export async function prepareNode(options: PrepareOptions, pki: SandboxPki): Promise<NodeParts> {
  const keys = makeNodeKeys(options.name, pki);
  keys.catch(() => {}); // Awaited below.
  const machine = await ensureProgram(nodePrograms.machine, options);
  const dns = await ensureProgram(nodePrograms.dns, options);
  return {
    name: options.name,
    cgroup: `k8sauth-sandbox-${randomBytes(6).toString("hex")}`,
    machine,
    dns,
    ...(await keys),
    archives: await makeArchives(machine, options),
  };
}

async function makeArchives(machine: string, { env, onProgress }: PrepareOptions): Promise<string[]> {
  const meter = new ProgressMeter(onProgress);
  try {
    const images = await builtinImages(machine);
    meter.begin("images", images.length);
    const archives: string[] = [];
    for (const image of images) {
      archives.push(cachedArchive(image, env));
      meter.step();
    }
    return archives;
  } finally {
    meter.close();
  }
}

async function makeNodeKeys(name: string, pki: SandboxPki): Promise<Pick<NodeParts, "client" | "serving">> {
  const [client, serving] = await Promise.all([
    issueClientCertificate(pki.clientCa, {
      commonName: `system:node:${name}`,
      organizations: ["system:nodes"],
      ttlSeconds: tenYearsSeconds,
    }),
    issueServingCertificate(pki.servingCa, name, [name, inside.address]),
  ]);
  return { client, serving };
}

export interface NodeFilesInput {
  readonly dir: string;
  readonly sandboxName: string;
  readonly server: string;
  readonly apiserverPort: number;
  readonly pki: SandboxPki;
  readonly parts: NodeParts;
}

/** Type of overlayfs in statfs(2). An overlayfs cannot be a layer of another one. */
const overlayMagic = 0x794c7630;

/** Files of a node in the sandbox's folder, by path, and the input for its plan. */
export function nodeSetup(input: NodeFilesInput): { plan: NodePlanInput; texts: Readonly<Record<string, string>> } {
  const { dir, parts, pki } = input;
  const { containerd, cni } = nodeTools();
  const plan: NodePlanInput = {
    nodeName: parts.name,
    apiserverPort: input.apiserverPort,
    cgroup: parts.cgroup,
    containerd,
    cni,
    snapshotter: statfsSync(dir).type === overlayMagic ? "native" : "overlayfs",
  };
  for (const folder of ["node", join("node", "cni")]) mkdirSync(join(dir, folder), { mode: 0o700 });
  const kubeconfig = [input.sandboxName, input.server, pki.servingCa.certPem, parts.name, parts.client] as const;
  return {
    plan,
    texts: {
      ...nodeConfiguration(plan),
      [nodeFiles.kubeletKubeconfig]: kubeconfigText(...kubeconfig),
      [nodeFiles.kubeletServing]: parts.serving.certPem,
      [nodeFiles.kubeletServingKey]: parts.serving.keyPem,
      [files.admin]: pki.admin.certPem,
      [files.adminKey]: pki.admin.keyPem,
    },
  };
}
