import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsProvider } from "../../../engine/tls/provider.ts";
import type { Properties } from "../../../engine/values.ts";

export const keyUrn = "urn:pulumi:dev::shop::tls:index/privateKey:PrivateKey::key";
export const requestUrn = "urn:pulumi:dev::shop::tls:index/certRequest:CertRequest::request";

export const provider = new TlsProvider();

export async function create(urn: string, inputs: Properties): Promise<{ id: string; outputs: Properties }> {
  return provider.create({ urn, inputs, preview: false });
}

export async function reasons(urn: string, news: Properties): Promise<string[]> {
  const { failures } = await provider.check({ urn, olds: undefined, news });
  return failures.map(({ property }) => property);
}

export function replaces(urn: string, oldOutputs: Properties, newInputs: Properties): Promise<readonly string[]> {
  const request = { urn, id: "id", oldInputs: {}, oldOutputs, newInputs, ignoreChanges: [] };
  return provider.diff(request).then((diff) => {
    if (diff.changes !== diff.replaces.length > 0) throw new Error("A change that does not replace.");
    return diff.replaces;
  });
}

/** Runs a program on files with the given contents, named `$0`, `$1`, … in the arguments; what it prints. */
export function run(command: string, args: readonly string[], ...contents: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  try {
    const files = contents.map((content, index) => {
      const file = join(folder, `file${index}`);
      writeFileSync(file, content, { mode: 0o600 });
      return file;
    });
    const real = args.map((arg) => arg.replace(/^\$(\d)$/, (_, index) => files[Number(index)] ?? ""));
    return execFileSync(command, real, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The DER in a PEM text. */
export function der(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\n/g, ""), "base64");
}
