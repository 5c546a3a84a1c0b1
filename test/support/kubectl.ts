import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureBinary } from "../../sandbox/build/kubernetes.ts";

export interface KubectlResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real kubectl. Writes the content of the kubeconfig into the folder, with which it is deleted. */
export async function kubectl(folder: string, kubeconfig: string, ...args: string[]): Promise<KubectlResult> {
  const file = join(folder, "kubeconfig.json");
  await writeFile(file, kubeconfig, { mode: 0o600 });
  const binary = await ensureBinary();
  return new Promise((resolve) => {
    const env = { ...process.env, KUBECONFIG: file };
    execFile(binary, ["kubectl", ...args], { env }, (error, stdout, stderr) => {
      resolve({ status: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}
