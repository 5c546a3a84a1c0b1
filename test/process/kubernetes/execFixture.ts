/** Kubeconfigs with exec plugins, and plugins as shell scripts. */
import { testCa } from "../../support/server.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

export function execKubeconfig(exec: object, server = "https://c1.example:6443"): string {
  const user = { exec: { apiVersion: "client.authentication.k8s.io/v1", ...exec } };
  return JSON.stringify({
    "current-context": "dev",
    clusters: [{ name: "c1", cluster: { server, "certificate-authority-data": base64(testCa.certPem) } }],
    users: [{ name: "u1", user }],
    contexts: [{ name: "dev", context: { cluster: "c1", user: "u1" } }],
  });
}

/** A plugin in the language of the shell. */
export const shell = (script: string) => ({ command: "/bin/sh", args: ["-c", script] });

/** Prints an ExecCredential with a token. */
export const printToken = (token: string) => `echo '{"status":{"token":"${token}"}}'`;

/**
 * Starts, and writes the ids of: a child that keeps the plugin's output open, one that ignores SIGTERM, one in a separate session, and the
 * plugin itself. They end by themselves after some minutes.
 */
export const family = (pidFile: string) => `
  sleep 240 & echo $! >>"${pidFile}"
  sh -c 'trap "" TERM; n=0; while [ $n -lt 240 ]; do n=$((n+1)); sleep 1; done' & echo $! >>"${pidFile}"
  setsid sleep 240 & echo $! >>"${pidFile}"
  echo $$ >>"${pidFile}"
`;
export const familySize = 4;
