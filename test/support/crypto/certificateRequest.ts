import { execFileSync } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RequestSubject {
  readonly commonName?: string;
  readonly organization?: string;
}

/** A certificate signing request in PEM, created by OpenSSL. */
export function certificateRequest(key: KeyObject, { commonName, organization }: RequestSubject): string {
  const parts = Object.entries({ O: organization, CN: commonName }).flatMap(([name, value]) =>
    value === undefined ? [] : [`/${name}=${value.replace(/[\\/+]/g, "\\$&")}`],
  );
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-key-"));
  try {
    // A file: Node.js gives a child's standard input as a socket, which OpenSSL cannot open by a path.
    const file = join(folder, "key.pem");
    writeFileSync(file, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const args = ["req", "-new", "-key", file, "-utf8", "-subj", parts.join("") || "/"];
    return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
