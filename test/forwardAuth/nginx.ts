/** Debian's NGINX with the example's configuration. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { program } from "../support/project.ts";
import { closedPort } from "../support/server.ts";
import { type Gateway, type Ports, withPorts } from "./gateway.ts";
import { GatewayProcess } from "./process.ts";

const example = (file: string) => readFileSync(join(program, "examples", "forward-auth", "nginx", file), "utf8");

/** Directives beside the example's. */
export interface Directives {
  readonly http?: string;
  readonly server?: string;
}

export async function startNginx(ports: Ports, { http = "", server = "" }: Directives = {}): Promise<GatewayProcess> {
  const port = await closedPort();
  return GatewayProcess.start({
    name: "nginx",
    port,
    files: {
      "nginx.conf": example("nginx.conf"),
      "upstreams.conf": `${withPorts(example("upstreams.conf"), ports)}\n${http}`,
      "listen.conf": `listen 127.0.0.1:${port};\n${server}`,
    },
    // Debian's compiled-in paths would be shared with an NGINX of the machine.
    command: (folder) => [
      ...["nginx", "-c", join(folder, "nginx.conf"), "-p", folder, "-e", "stderr"],
      ...["-g", `daemon off; pid ${join(folder, "nginx.pid")};`],
    ],
  });
}

export const nginx: Gateway = {
  name: "NGINX",
  missing: spawnSync("nginx", ["-v"]).error && "nginx is not installed",
  pathFrom: "x-original-uri",
  bounded: true,
  alias: "dropped",
  without: { listener: 503, answer: 503, end: 503 },
  question: () => ({
    ":path": "/k8sauth-verifier",
    host: "verifier",
    "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/),
  }),
  start: (ports, { publicPath, lenient } = {}) =>
    startNginx(ports, {
      http: lenient ? "underscores_in_headers on; ignore_invalid_headers off;" : "",
      server: publicPath && `location = ${publicPath} { auth_request off; proxy_pass http://service; }`,
    }),
};
