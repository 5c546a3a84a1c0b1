/** Caddy as its makers' module has it, with the example's configuration. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { ensureProgram, type GoProgram } from "../../../sandbox/build/build.ts";
import { program } from "../../support/project.ts";
import { closedPort } from "../../support/server.ts";
import { type Gateway, replaceOnce, withPorts } from "../gateway.ts";
import { GatewayProcess } from "../process.ts";
import { buildProgress } from "../progress.ts";

const caddyProgram: GoProgram = {
  name: "caddy",
  title: "Caddy",
  source: fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, ""),
  packages: ["github.com/caddyserver/caddy/v2/cmd/caddy"],
};

export const caddy: Gateway = {
  name: "Caddy",
  missing: undefined,
  pathFrom: "x-forwarded-uri",
  bounded: true,
  alias: "dropped",
  without: { listener: 502, answer: 502, end: 504 },
  question: (port) => ({
    ":path": "/",
    host: `127.0.0.1:${port}`,
    "user-agent": "Go-http-client/1.1",
    "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
  }),
  async start(ports, { publicPath, lenient } = {}) {
    const binary = await ensureProgram(caddyProgram, buildProgress());
    const port = await closedPort();
    const file = join(program, "examples", "forward-auth", "caddy", "Caddyfile");
    let text = withPorts(readFileSync(file, "utf8"), ports);
    text = replaceOnce(text, "\n:8080 {", `\nhttp://:${port} {\n\tbind 127.0.0.1`);
    if (publicPath !== undefined)
      text = replaceOnce(text, "forward_auth ", `@asked not path ${publicPath}\n\t\tforward_auth @asked `);
    if (lenient) {
      const servers = "servers {\n\t\texpected_underscore_headers x_*\n\t\texpected_dot_headers x.*\n\t}";
      text = replaceOnce(text, "\tadmin off\n", `\tadmin off\n\t${servers}\n`);
    }
    return GatewayProcess.start({
      name: "caddy",
      port,
      files: { Caddyfile: text },
      command: () => [binary, "run", "--config", "Caddyfile"],
    });
  },
};
