/** Versions of Kubernetes. The go.mod and go.sum of the default version are in `sandbox/kubernetes`, those of others in its folder `versions`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, ensureProgram, type GoProgram, isBuilt } from "./build.ts";
import { SandboxError } from "./errors.ts";
import { runGo } from "./go.ts";
import { moduleVersion } from "./goMod.ts";

/** A version of Kubernetes that can be built. */
export interface KubernetesVersion {
  /** With its `v`: "v1.36.3". */
  readonly version: string;
  /** "1.36". */
  readonly minor: string;
  /** Its go.mod, relative to the folder of the Go sources. Absent for the default version. */
  readonly goMod?: string;
}

export interface KubernetesOptions extends BuildOptions {
  /** Version of Kubernetes, as "1.34" or "1.34.4". @default K8SAUTH_KUBERNETES of `env`, or {@link defaultKubernetes} */
  readonly kubernetes?: string;
}

const source = fileURLToPath(new URL("../kubernetes", import.meta.url));

function versionIn(goMod?: string): KubernetesVersion {
  const version = moduleVersion(readFileSync(join(source, goMod ?? "go.mod"), "utf8"), "k8s.io/kubernetes");
  return { version, minor: version.replace(/^v(\d+\.\d+).*/, "$1"), goMod };
}

/** The default version. */
export function defaultKubernetes(): KubernetesVersion {
  return versionIn();
}

/** All versions, from the oldest to the newest. */
export function kubernetesVersions(): readonly KubernetesVersion[] {
  const further = readdirSync(join(source, "versions")).filter((name) => name.endsWith(".mod"));
  return [defaultKubernetes(), ...further.map((name) => versionIn(join("versions", name)))].sort((a, b) =>
    a.version.localeCompare(b.version, "en", { numeric: true }),
  );
}

/** The version of the option or of K8SAUTH_KUBERNETES; undefined if neither is set. @throws SandboxError SANDBOX_OPTION_INVALID */
export function selectedKubernetes({ kubernetes, env }: KubernetesOptions): KubernetesVersion | undefined {
  const selected = kubernetes ?? ((env ?? process.env).K8SAUTH_KUBERNETES || undefined);
  if (selected === undefined) return undefined;
  const versions = kubernetesVersions();
  const found = versions.find(({ version, minor }) =>
    [version, version.slice(1), minor, `v${minor}`].includes(selected),
  );
  if (found) return found;
  const list = versions.map(({ version, minor }) => `${minor} (${version})`).join(", ");
  throw new SandboxError(
    "SANDBOX_OPTION_INVALID",
    `The sandbox cannot run Kubernetes ${JSON.stringify(selected)}: expected one of ${list}. Set --kubernetes or K8SAUTH_KUBERNETES to one of them.`,
  );
}

/**
 * Path of the binary that contains etcd, the Kubernetes servers and kubectl; see {@link ensureProgram}.
 *
 * @throws SandboxError SANDBOX_OPTION_INVALID, and those of {@link ensureProgram}
 */
export async function ensureBinary(options: KubernetesOptions = {}): Promise<string> {
  return ensureProgram(kubernetesProgram(selectedKubernetes(options) ?? defaultKubernetes()), options);
}

/** Whether {@link ensureBinary} would return at once. @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_GO_TOO_OLD */
export async function isBinaryBuilt(options: KubernetesOptions = {}): Promise<boolean> {
  return isBuilt(kubernetesProgram(selectedKubernetes(options) ?? defaultKubernetes()), options);
}

/**
 * Version of the Go that builds it ("1.26.0"): the `go` on the PATH, or a newer one that it downloads because go.mod asks for it.
 *
 * @throws SandboxError SANDBOX_GO_MISSING, SANDBOX_GO_TOO_OLD, SANDBOX_DOWNLOAD_FAILED, SANDBOX_ABORTED
 */
export async function goVersion({ env = process.env, signal }: BuildOptions = {}): Promise<string> {
  return (await runGo(["env", "GOVERSION"], { cwd: source, env, signal })).stdout.trim().replace(/^go/, "");
}

function kubernetesProgram({ version, goMod }: KubernetesVersion): GoProgram {
  const title = `Kubernetes ${version.slice(1)}`;
  return { name: "k8s", title, source, goMod, variables: () => versionVariables(version) };
}

/** Packages of Kubernetes with version variables. Without values, the server reports v0.0.0. */
function versionVariables(version: string): Record<string, string> {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  return Object.fromEntries(
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
      Object.entries(values).map(([name, value]) => [`${path}.${name}`, value]),
    ),
  );
}
