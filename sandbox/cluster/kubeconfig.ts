import { readFileSync } from "node:fs";
import type { KeyPair } from "./certificate.ts";

/** The user's certificate and key in a kubeconfig of {@link kubeconfigText}. */
export function readAdmin(kubeconfig: string): KeyPair {
  const text = readFileSync(kubeconfig, "utf8");
  const value = (key: string) =>
    Buffer.from(new RegExp(`${key}: (\\S+)`).exec(text)?.[1] ?? "", "base64").toString("utf8");
  return { certPem: value("client-certificate-data"), keyPem: value("client-key-data") };
}

/** A kubeconfig with embedded data for one user of a sandbox. */
export function kubeconfigText(name: string, server: string, caPem: string, user: string, identity: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const context = `sandbox-${name}`;
  return `apiVersion: v1
kind: Config
current-context: ${context}
clusters:
  - name: ${context}
    cluster:
      server: ${server}
      certificate-authority-data: ${base64(caPem)}
users:
  - name: ${context}-${user}
    user:
      client-certificate-data: ${base64(identity.certPem)}
      client-key-data: ${base64(identity.keyPem)}
contexts:
  - name: ${context}
    context:
      cluster: ${context}
      user: ${context}-${user}
`;
}
