import { execFile } from "node:child_process";
import { expect, inject, vi } from "vitest";
import { KubeClient, type KubeObject, loadConnection } from "../../kubernetes/index.ts";
import { sandboxHandle } from "../../sandbox/cluster/handle.ts";
import { readRecord } from "../../sandbox/cluster/state.ts";
import { nodeImage, type Sandbox } from "../../sandbox/index.ts";

/** How long things on a node may take on a busy machine. */
export const soon = { timeout: 60_000, interval: 100 };

/** Whether there is no node here: for `describe.skipIf`. */
export const noNode = inject("nodeMissing").length > 0;

/** The sandbox that all node tests share. */
export function sharedSandbox(): Sandbox {
  const dir = inject("nodeSandboxDir");
  const record = readRecord(dir);
  if (!record) throw new Error(`no sandbox in ${dir}`);
  return sandboxHandle(dir, record, async () => {});
}

export async function clientOf(sandbox: Sandbox): Promise<KubeClient> {
  return new KubeClient(await loadConnection({ kubeconfig: sandbox.kubeconfig }, {}));
}

/** Runs kubectl as the administrator and returns what it prints. */
export function kubectl(sandbox: Sandbox, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, KUBECONFIG: sandbox.kubeconfig };
    const child = execFile(sandbox.binary, ["kubectl", ...args], { env }, (error, stdout, stderr) => {
      if (error) reject(new Error(`kubectl ${args.join(" ")}: ${stderr}`));
      else resolve(stdout);
    });
    child.stdin?.end(input);
  });
}

/** Makes a namespace of the test's own that enforces the restricted pod security standard, and a name for it. */
export async function restrictedNamespace(sandbox: Sandbox, prefix: string): Promise<string> {
  const name = `${prefix}-${Math.random().toString(36).slice(2, 8)}`;
  await apply(sandbox, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  return name;
}

export async function apply(sandbox: Sandbox, ...objects: KubeObject[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await kubectl(sandbox, ["apply", "-f", "-"], JSON.stringify(list));
}

export interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  /** An ES module for Node to run, or `args` for another image. */
  readonly script?: string;
  readonly args?: readonly string[];
  readonly serviceAccountName?: string;
  /** Mounts a token for this audience at /var/run/secrets/tokens/token. */
  readonly audience?: string;
  /** Mounts the token for the API server, and its CA. @default false */
  readonly apiToken?: boolean;
  /** TCP port whose opening makes the pod ready. */
  readonly port?: number;
  readonly image?: string;
}

/** A pod that the restricted standard accepts. */
export function pod(options: PodOptions): KubeObject {
  const { audience, port } = options;
  const tokens = { serviceAccountToken: { audience, expirationSeconds: 600, path: "token" } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: options.name, namespace: options.namespace, labels: { app: options.name } },
    spec: {
      serviceAccountName: options.serviceAccountName,
      automountServiceAccountToken: options.apiToken ?? false,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "main",
          image: options.image ?? nodeImage,
          imagePullPolicy: "Never",
          args: options.args ?? ["--input-type=module", "-e", options.script ?? ""],
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            readOnlyRootFilesystem: true,
          },
          ...(port && { readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } }),
          ...(audience && { volumeMounts: [{ name: "tokens", mountPath: "/var/run/secrets/tokens", readOnly: true }] }),
        },
      ],
      ...(audience && { volumes: [{ name: "tokens", projected: { sources: [tokens] } }] }),
    },
  };
}

export async function podReady(sandbox: Sandbox, namespace: string, name: string): Promise<void> {
  await kubectl(sandbox, ["wait", "-n", namespace, "--for=condition=Ready", `pod/${name}`, "--timeout=60s"]);
}

/** Log of a pod. Waits until it has ended, and fails if it did not succeed. */
export async function outputOf(sandbox: Sandbox, namespace: string, name: string): Promise<string> {
  await vi.waitFor(async () => {
    const phase = await kubectl(sandbox, ["get", "pod", "-n", namespace, name, "-o", "jsonpath={.status.phase}"]);
    expect(["Succeeded", "Failed"]).toContain(phase);
  }, soon);
  const text = await kubectl(sandbox, ["logs", "-n", namespace, name]);
  const phase = await kubectl(sandbox, ["get", "pod", "-n", namespace, name, "-o", "jsonpath={.status.phase}"]);
  expect(phase, text).toBe("Succeeded");
  return text;
}

/** The content of a file in a pod that runs Node, without blanks at its ends. */
export async function readFileIn(sandbox: Sandbox, namespace: string, name: string, path: string): Promise<string> {
  const script = `fs.readFileSync(${JSON.stringify(path)}, "utf8")`;
  return (await kubectl(sandbox, ["exec", "-n", namespace, name, "--", "/usr/local/bin/node", "-p", script])).trim();
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}
