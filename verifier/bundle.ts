/** Makes the one-file ES modules that run on a stock Node.js image. */
import { createHash } from "node:crypto";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

export { nodeFlags } from "./nodeFlags.ts";

export interface Bundle {
  /** An ES module in plain, readable JavaScript. */
  readonly code: string;
  /** SHA-256 of the code (UTF-8), hexadecimal: equal sources and dependencies give equal bytes. */
  readonly sha256: string;
}

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(folder);

/** The service. */
export function bundleVerifier(): Promise<Bundle> {
  return bundle("main.ts");
}

/** The client's command. */
export function bundleClient(): Promise<Bundle> {
  return bundle(join("client", "main.ts"));
}

async function bundle(entry: string): Promise<Bundle> {
  const result = await build({
    entryPoints: [join(folder, entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "esm",
    charset: "utf8",
    // To be read by whoever audits what runs; licences stay with their code.
    minify: false,
    legalComments: "eof",
    treeShaking: true,
    // Some dependencies are CommonJS and require Node's own modules.
    banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
    plugins: [leaveOut],
    logLevel: "silent",
    // Nothing of this machine may change the output.
    tsconfigRaw: {},
    nodePaths: [],
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error(`esbuild made no output for ${entry}`);
  return { code: file.text, sha256: createHash("sha256").update(file.text).digest("hex") };
}

/**
 * Parts of dependencies that the service never reaches, and why. They are replaced by empty modules, which halves the bundle; whoever
 * begins to use one of them sees its tests of the bundle fail.
 */
const unused: readonly { readonly file: string; readonly why: string; readonly instead: string }[] = [
  { file: "thread-stream/index.js", why: "log transports in worker threads", instead: "module.exports = class {};" },
  { file: "pino/lib/transport.js", why: "log transports in worker threads", instead: "module.exports = () => {};" },
  { file: "pino/lib/multistream.js", why: "several log streams", instead: "module.exports = () => {};" },
  { file: "sonic-boom/index.js", why: "log files", instead: "module.exports = class {};" },
  { file: "on-exit-leak-free/index.js", why: "log files", instead: "module.exports = {};" },
  {
    file: "pino-std-serializers/index.js",
    why: "serializers of errors and requests: fields are ours",
    instead:
      "const same = (value) => value; module.exports = { err: same, mapHttpRequest: same, mapHttpResponse: same, wrapErrorSerializer: same, wrapRequestSerializer: same, wrapResponseSerializer: same, req: same, res: same };",
  },
  {
    file: "pino/lib/redaction.js",
    why: "redaction of paths: nothing secret is logged",
    instead: "module.exports = () => {};",
  },
  {
    file: "quick-format-unescaped/index.js",
    why: "format strings: messages are plain",
    instead: "module.exports = (text) => text;",
  },
  {
    file: "pino/lib/time.js",
    why: "clocks of its own: ours is given",
    instead: 'module.exports = { epochTime: () => "", nullTime: () => "" };',
  },
  { file: "pino/lib/caller.js", why: "log transports in worker threads", instead: "module.exports = () => [];" },
  { file: "prom-client/lib/exemplar.js", why: "exemplars of traces", instead: "module.exports = class {};" },
  {
    file: "safe-stable-stringify/index.js",
    why: "cyclic objects: fields are plain",
    instead: "module.exports = JSON.stringify; module.exports.configure = () => JSON.stringify;",
  },
];

/** prom-client without summaries, gateways, clusters, exemplars and the metrics that need files of /proc. */
const promClient = `
exports.Registry = require("./lib/registry");
exports.Counter = require("./lib/counter");
exports.Gauge = require("./lib/gauge");
exports.Histogram = require("./lib/histogram");
`;

const leaveOut: Plugin = {
  name: "leave-out",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules/ }, ({ path }) => {
      const file = path.split(sep).join("/").split("/node_modules/").at(-1) ?? "";
      if (file === "prom-client/index.js") return { contents: promClient, loader: "js", resolveDir: dirname(path) };
      const found = unused.find((one) => one.file === file);
      if (!found) return undefined;
      return { contents: `// Left out: ${found.why}.\n${found.instead}\n`, loader: "js" };
    });
  },
};
