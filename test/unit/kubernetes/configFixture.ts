/** Kubeconfigs in a folder of each test, and errors of reading them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { KubeError } from "../../../kubernetes/index.ts";
import { testCa } from "../../support/server.ts";

export const token = "s3cret-token-of-the-deployer";
export let folder: string;

/** Gives each test of a file an empty folder. */
export function useFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kube-config-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}

export const base64 = (text: string) => Buffer.from(text).toString("base64");

export interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly current?: string;
}

export function kubeconfig({ cluster = {}, user = { token }, context = {}, current = "dev" }: Parts = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": current,
    clusters: [
      {
        name: "c1",
        cluster: {
          server: "https://c1.example:6443/",
          "certificate-authority-data": base64(testCa.certPem),
          ...cluster,
        },
      },
    ],
    users: [{ name: "u1", user }],
    contexts: [{ name: "dev", context: { cluster: "c1", user: "u1", ...context } }],
  });
}

export async function failureOf(work: Promise<unknown>): Promise<KubeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  const failure = error as KubeError;
  expect(failure.message).not.toContain(token);
  return failure;
}
