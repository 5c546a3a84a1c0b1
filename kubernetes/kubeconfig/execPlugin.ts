import { createHash } from "node:crypto";
import { resolve, sep } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { CredentialSource, Credentials, ExecCluster } from "../connection.ts";
import { KubeError, scrub } from "../errors.ts";
import { requireSendable } from "../headers.ts";
import { pairProblem } from "./keyPair.ts";
import { type Entry, isObject, type Json, type JsonObject, nonEmpty, stringList } from "./kubeconfig.ts";
import { type Limits, type ProcessResult, type Program, runProgram } from "./pluginProcess.ts";
import { SharedRun } from "./sharedRun.ts";

/** Options of exec plugins. */
export interface ExecOptions {
  /** Receives what a plugin writes to its standard error, line by line while it runs. @default this process's own standard error */
  readonly onLine?: (line: string) => void;
  readonly limits?: Limits;
}

/** Counts nested exec plugins. A plugin that uses the kubeconfig that names it would start itself without limit. */
const depthVariable = "K8SAUTH_EXEC_DEPTH";
const maxDepth = 3;

interface Plugin extends Program {
  /** The plugin and its user, for messages. */
  readonly label: string;
  readonly installHint: string | undefined;
  readonly depth: number;
}

interface CachedCredentials {
  readonly credentials: Credentials;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** Credentials by plugin, arguments and environment, so that one login serves all connections of this process. */
const sources = new Map<string, ExecSource>();

/**
 * The credentials of an exec plugin, cached until the expiry that the plugin states.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 * @throws KubeError KUBECONFIG_EXEC_MISSING for a plugin without a command
 */
export function execCredentials(
  user: Entry,
  spec: JsonObject,
  cluster: ExecCluster,
  env: NodeJS.ProcessEnv,
  { onLine = toStandardError, limits = {} }: ExecOptions = {},
): CredentialSource {
  const plugin = readPlugin(user, spec, cluster, env);
  const identity = JSON.stringify([plugin.command, plugin.args, Object.entries(plugin.env).sort()]);
  const key = createHash("sha256").update(identity).digest("hex");
  const source = sources.get(key) ?? new ExecSource(plugin);
  sources.set(key, source);
  return { refreshable: true, get: (refresh, signal) => source.get(refresh, signal, onLine, limits) };
}

class ExecSource {
  readonly #plugin: Plugin;
  readonly #runs: SharedRun<CachedCredentials>;
  #cached: CachedCredentials | undefined;
  #turn = 0;
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(plugin: Plugin) {
    this.#plugin = plugin;
    this.#runs = new SharedRun(plugin.label);
  }

  async get(
    refresh = false,
    signal: AbortSignal | undefined,
    onLine: (line: string) => void,
    limits: Limits,
  ): Promise<Credentials> {
    // Requests that are rejected together cause one refresh.
    const anew = refresh && performance.now() - this.#refreshedAt > 1_000;
    if (anew) {
      this.#refreshedAt = performance.now();
      this.#cached = undefined;
    }
    if (this.#cached !== undefined && this.#cached.expires > Date.now()) return this.#cached.credentials;
    const run = async (abort: AbortSignal) => {
      const turn = ++this.#turn;
      const printed = await runPlugin(this.#plugin, onLine, abort, limits);
      // A run that started before a rejection may end after the run of the refresh.
      if (turn === this.#turn) this.#cached = printed;
      return printed;
    };
    return (await this.#runs.join(run, anew, signal)).credentials;
  }
}

async function runPlugin(
  plugin: Plugin,
  onLine: (line: string) => void,
  signal: AbortSignal,
  limits: Limits,
): Promise<CachedCredentials> {
  if (plugin.depth > maxDepth) {
    throw new KubeError(
      "KUBECONFIG_EXEC_RECURSION",
      `${plugin.label} was not started: ${maxDepth} nested exec plugins run already. The plugin, or a command that it starts, uses the kubeconfig that names the plugin.`,
      { remedy: ownKubeconfig },
    );
  }
  let ended: ProcessResult;
  try {
    ended = await runProgram(plugin, withoutSecrets(onLine), signal, limits);
  } catch (error) {
    throw notStarted(plugin, error as NodeJS.ErrnoException);
  }
  if (ended.why !== "exit" || ended.status !== 0) throw failed(plugin, ended);
  return readCredential(plugin, ended.stdout);
}

function readPlugin(user: Entry, spec: JsonObject, cluster: ExecCluster, env: NodeJS.ProcessEnv): Plugin {
  const command = nonEmpty(spec.command);
  if (command === undefined) {
    throw new KubeError("KUBECONFIG_EXEC_MISSING", `The exec plugin of user "${user.name}" has no command.`, {
      remedy: "Set users[].user.exec.command.",
    });
  }
  const info = {
    apiVersion: nonEmpty(spec.apiVersion) ?? "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(spec.provideClusterInfo === true
        ? {
            cluster: {
              server: cluster.server,
              "tls-server-name": cluster.tlsServerName,
              "certificate-authority-data": cluster.caPem ? Buffer.from(cluster.caPem).toString("base64") : undefined,
              "proxy-url": cluster.proxyUrl,
              "disable-compression": cluster.disableCompression,
              config: cluster.config ?? null,
            },
          }
        : {}),
    },
  };
  const given = Array.isArray(spec.env)
    ? spec.env.filter((one) => isObject(one) && nonEmpty(one.name) !== undefined)
    : [];
  const depth = 1 + (Number(env[depthVariable] ?? process.env[depthVariable]) || 0);
  return {
    // A command with a separator is relative to the kubeconfig. A bare one is searched on the PATH.
    command: command.includes(sep) ? resolve(user.folder, command) : command,
    args: stringList(spec.args, `exec.args of user "${user.name}"`),
    env: {
      ...process.env,
      ...env,
      ...Object.fromEntries(given.map(({ name, value }) => [String(name), variableValue(value)])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
      [depthVariable]: String(depth),
    },
    label: `The exec plugin "${command}" of user "${user.name}"`,
    installHint: nonEmpty(spec.installHint),
    depth,
  };
}

/** The text of a variable's value, which YAML may have read as another type. */
function variableValue(value: Json | undefined): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "");
}

function readCredential(plugin: Plugin, stdout: string): CachedCredentials {
  const status = statusOf(stdout);
  const token = nonEmpty(status?.token);
  const certPem = nonEmpty(status?.clientCertificateData);
  const keyPem = nonEmpty(status?.clientKeyData);
  if (status === undefined || (token === undefined && (certPem === undefined || keyPem === undefined))) {
    // The output may contain a credential, so the message does not quote it.
    const what = status === undefined ? "something that is not an ExecCredential" : "neither a token nor a certificate";
    throw new KubeError("KUBECONFIG_EXEC_FAILED", `${plugin.label} printed ${what}.`, {
      remedy: "Expected an ExecCredential with status.token, or status.clientCertificateData and status.clientKeyData.",
    });
  }
  if (token !== undefined) requireSendable(token, `${plugin.label} printed a token that cannot be sent: it`);
  const pair = certPem === undefined || keyPem === undefined ? {} : { certPem, keyPem };
  const problem = certPem === undefined || keyPem === undefined ? undefined : pairProblem(certPem, keyPem);
  if (problem !== undefined) {
    throw new KubeError(
      "KUBECONFIG_CREDENTIAL_INVALID",
      `${plugin.label} printed status.clientCertificateData and status.clientKeyData that cannot be used together: ${problem}.`,
      { remedy: "Clear the plugin's cache and log in again." },
    );
  }
  const expires = Date.parse(nonEmpty(status.expirationTimestamp) ?? "");
  return {
    credentials: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...pair },
    expires: Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires,
  };
}

function statusOf(stdout: string): JsonObject | undefined {
  try {
    const printed: unknown = JSON.parse(stdout);
    return isObject(printed) && isObject(printed.status) ? printed.status : undefined;
  } catch {
    return undefined;
  }
}

const ownKubeconfig =
  "Set KUBECONFIG in users[].user.exec.env to a kubeconfig with another credential, for the commands that the plugin starts.";

function notStarted({ label, installHint }: Plugin, { code = "unknown error" }: NodeJS.ErrnoException): KubeError {
  if (code !== "ENOENT" && code !== "EACCES") {
    return new KubeError("KUBECONFIG_EXEC_FAILED", `${label} could not be started (${code}).`);
  }
  return new KubeError(
    "KUBECONFIG_EXEC_MISSING",
    `${label} ${code === "ENOENT" ? "is not installed" : "may not be run"}.`,
    { remedy: installHint ? scrub(installHint.trim()) : "Install it, or put its folder on the PATH." },
  );
}

const byHand = "Run it by hand, log in again if it asks for that, and try again.";

function failed({ label }: Plugin, { why, stderr, status, limit }: ProcessResult): KubeError {
  const said = tail(stderr);
  const quoted = said === "" ? "" : ` Its standard error: ${said}.`;
  switch (why) {
    case "timeout":
      return new KubeError("KUBECONFIG_EXEC_TIMEOUT", `${label} did not answer within ${limit / 1000} s.${quoted}`, {
        remedy: "Run it by hand: it may be waiting for a login.",
      });
    case "processes":
      return new KubeError(
        "KUBECONFIG_EXEC_RECURSION",
        `${label} was killed: it started more than ${limit} processes. The plugin, or a command that it starts, may use the kubeconfig that names the plugin.${quoted}`,
        { remedy: ownKubeconfig },
      );
    case "output":
      return new KubeError("KUBECONFIG_EXEC_FAILED", `${label} was killed: it printed more than ${limit} characters.`, {
        remedy: "Expected an ExecCredential.",
      });
    case "aborted":
      return new KubeError("KUBE_CANCELLED", `${label} was cancelled.`);
    case "exit":
      return new KubeError(
        "KUBECONFIG_EXEC_FAILED",
        `${label} failed with ${typeof status === "number" ? `exit status ${status}` : status}: ${said || "it wrote nothing to its standard error"}.`,
        { remedy: byHand },
      );
  }
}

function tail(stderr: string): string {
  const clean = scrub(stripVTControlCharacters(stderr)).trim().replace(/\s+/g, " ").replace(/\.$/, "");
  return clean.length > 600 ? `… ${clean.slice(-600)}` : clean;
}

/** Removes control sequences and credentials from lines, and drops all lines of a private key. */
function withoutSecrets(onLine: (line: string) => void): (line: string) => void {
  let inKey = false;
  return (line) => {
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(line)) inKey = true;
    if (!inKey) onLine(scrub(stripVTControlCharacters(line)));
    if (/-----END [A-Z ]*PRIVATE KEY-----/.test(line)) inKey = false;
  };
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
