/**
 * Writes the go.mod and go.sum of a Kubernetes release: `node sandbox/kubernetes/pin.ts VERSION` writes them to `versions`, and with
 * `--default` those of the default version.
 */
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runGo } from "../build/go.ts";
import type { ModFile } from "../build/goMod.ts";

/** The oldest Go that compiles the sandbox's sources. */
const go = "1.26.0";
const folder = fileURLToPath(new URL(".", import.meta.url));

/** The text of a go.mod without indirect requirements, for `go mod tidy` to complete. */
export function goModFor(version: string, kubernetes: ModFile): string {
  const required = kubernetes.Require ?? [];
  const etcd = required.find(({ Path }) => Path === "go.etcd.io/etcd/server/v3")?.Version;
  const staging = required.filter(({ Version }) => Version === "v0.0.0").map(({ Path }) => Path);
  const release = version.replace(/^1\./, "v0.");
  const goOfRelease = /^\d+\.\d+/.exec(kubernetes.Go ?? "")?.[0];
  // A release keeps the run-time defaults of its own version of Go.
  const godebug = goOfRelease && !go.startsWith(goOfRelease) ? `\ngodebug default=go${goOfRelease}\n` : "";
  return `module k8sauth/sandbox/kubernetes

go ${go}
${godebug}
require (
	go.etcd.io/etcd/server/v3 ${etcd}
	k8s.io/client-go ${release}
	k8s.io/component-base ${release}
	k8s.io/kubectl ${release}
	k8s.io/kubernetes v${version}
)

// Kubernetes requires its staging modules at v0.0.0: the releases that belong to v${version}.
replace (
${staging.map((path) => `\t${path} => ${path} ${release}\n`).join("")})
`;
}

async function pin(version: string, isDefault: boolean): Promise<void> {
  if (!/^1\.\d+\.\d+$/.test(version)) throw new Error(`${version} is not a version of Kubernetes such as 1.36.3`);
  const name = isDefault ? "go" : join("versions", version.replace(/\.\d+$/, ""));
  const anywhere = { cwd: tmpdir(), env: process.env };
  const module = JSON.parse((await runGo(["list", "-m", "-json", `k8s.io/kubernetes@v${version}`], anywhere)).stdout);
  const goMod = JSON.parse((await runGo(["mod", "edit", "-json", module.GoMod], anywhere)).stdout) as ModFile;
  writeFileSync(join(folder, `${name}.mod`), goModFor(version, goMod));
  rmSync(join(folder, `${name}.sum`), { force: true });
  await runGo(["mod", "tidy", `-modfile=${name}.mod`], { cwd: folder, env: process.env });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { default: { type: "boolean" } }, allowPositionals: true });
  for (const version of positionals) await pin(version, values.default ?? false);
}
