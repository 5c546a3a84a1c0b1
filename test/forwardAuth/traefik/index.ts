/** Traefik as its makers' module has it, without its dashboard and its ACME client, with the example's configuration. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureProgram, type GoProgram } from "../../../sandbox/build/build.ts";
import { goModule } from "../../support/goModule.ts";
import { program } from "../../support/project.ts";
import { closedPort } from "../../support/server.ts";
import { type Gateway, host, replaceOnce, withPorts } from "../gateway.ts";
import { GatewayProcess } from "../process.ts";
import { buildProgress } from "../progress.ts";

const folder = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");

const traefikProgram: GoProgram = {
  name: "traefik",
  title: "Traefik",
  source: folder,
  modules: ["ext", "lego"].map((module) => join(folder, "standins", module)),
  packages: ["github.com/traefik/traefik/v3/cmd/traefik"],
};

/** Built from Go modules on first use. @throws SandboxError */
export const ensureTraefik = (): Promise<string> => ensureProgram(traefikProgram, buildProgress());

/** Folder of Traefik's own sources and reference, in the version that is built. */
export const traefikModule = (): Promise<string> => goModule("github.com/traefik/traefik/v3", folder);

const example = (file: string) => readFileSync(join(program, "examples", "forward-auth", "traefik", file), "utf8");

export const traefik: Gateway = {
  name: "Traefik",
  missing: undefined,
  pathFrom: "x-forwarded-uri",
  bounded: false,
  alias: "refused",
  // Its own time limit is 30 s and cannot be set.
  without: { listener: 500, answer: 500, end: undefined },
  question: (port) => ({
    ":path": "/",
    host: `127.0.0.1:${port}`,
    "user-agent": "Go-http-client/1.1",
    "accept-encoding": "gzip",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": host,
    "x-forwarded-port": "80",
  }),
  async start(ports, { publicPath, lenient } = {}) {
    const binary = await ensureTraefik();
    const port = await closedPort();
    let dynamic = withPorts(example("dynamic.yaml"), ports);
    if (publicPath !== undefined) {
      const router = `\n    public: { rule: "Host(\`${host}\`) && Path(\`${publicPath}\`)", service: orders }`;
      dynamic = replaceOnce(dynamic, "\n  routers:", `\n  routers:${router}`);
    }
    let fixed = replaceOnce(example("traefik.yaml"), '":8080"', `"127.0.0.1:${port}"`);
    if (lenient) fixed = replaceOnce(fixed, "aliasHeadersStrategy: reject", "aliasHeadersStrategy: keep");
    return GatewayProcess.start({
      name: "traefik",
      port,
      files: {
        "traefik.yaml": fixed,
        "dynamic.yaml": dynamic,
      },
      command: () => [binary, "--configFile=traefik.yaml"],
    });
  },
};
