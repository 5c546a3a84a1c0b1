/** The verifier's process with the memory limit of a container. In its separate network namespace, clients can use any loopback address. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { hasEnded } from "../../../demo/childProcess.ts";
import { VerifierProcess } from "../verifier/process.ts";
import { until } from "../verifier/verifier.ts";
import type { Answered, Command, Numbered } from "./connections.ts";
import { MemoryCgroup } from "./memoryCgroup.ts";

const script = fileURLToPath(new URL("connections.ts", import.meta.url));
/** The kernel deletes the network namespace with its last process. */
const ownNetwork = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'];

export class LimitedVerifier implements AsyncDisposable {
  readonly verifier: VerifierProcess;
  readonly cgroup: MemoryCgroup;
  readonly #isTls: boolean;
  readonly #flooder: Connections;
  readonly #caller: Connections;

  private constructor(verifier: VerifierProcess, cgroup: MemoryCgroup, isTls: boolean) {
    this.verifier = verifier;
    this.cgroup = cgroup;
    this.#isTls = isTls;
    this.#flooder = new Connections(verifier.child.pid ?? 0);
    this.#caller = new Connections(verifier.child.pid ?? 0);
  }

  /** Starts it, and waits until it is ready. Its settings must need no server. */
  static async start(folder: string, settings: object, limitBytes: number): Promise<LimitedVerifier> {
    await using started = new AsyncDisposableStack();
    const cgroup = started.use(new MemoryCgroup(limitBytes));
    const wrap = (command: readonly string[]) => cgroup.wrap([...ownNetwork, ...command]);
    const verifier = started.use(await VerifierProcess.start(folder, settings, false, wrap));
    const limited = started.use(new LimitedVerifier(verifier, cgroup, "tlsCertFile" in settings));
    await until(async () => (await limited.probe("/readyz")).status === 200, "the verifier is ready");
    started.move();
    return limited;
  }

  /** Exit status or signal; `undefined` while it runs. */
  get ended(): number | string | undefined {
    return this.verifier.child.exitCode ?? this.verifier.child.signalCode ?? undefined;
  }

  /** Opens connections without a token, and keeps those that the verifier admits. Returns when each was attempted. */
  async flood(connections: number, addresses: number): Promise<void> {
    await this.#flooder.run({ kind: "flood", port: this.verifier.port, tls: this.#isTls, connections, addresses });
  }

  /** Sends text on all connections of the flood. */
  async sendToAll(text: string): Promise<void> {
    await this.#flooder.run({ kind: "send", text });
  }

  /** Connections of the flood that are open. */
  async floodCount(): Promise<number> {
    return (await this.#flooder.run({ kind: "count" })) as number;
  }

  /** Status of the answer for a token, on a new connection. 0: the connection was closed without an answer. */
  async ask(token: string, from: string): Promise<number> {
    const { port } = this.verifier;
    const request = { kind: "request", port, tls: this.#isTls, from, path: "/", token } as const;
    return ((await this.#caller.run(request)) as Answered).status;
  }

  /** Sends a request as the kubelet and Prometheus do. */
  async probe(path: string): Promise<Answered> {
    const port = this.verifier.adminPort;
    return (await this.#caller.run({ kind: "request", port, tls: false, from: "127.0.0.8", path })) as Answered;
  }

  /** Metrics of connections, by name and labels. */
  async connectionMetrics(): Promise<Record<string, number>> {
    const { body } = await this.probe("/metrics");
    const found = body.matchAll(/^k8sauth_verifier_(connections\S*) (\d+)$/gm);
    return Object.fromEntries([...found].map(([, name, value]) => [name, Number(value)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#flooder, this.#caller].map((one) => one[Symbol.asyncDispose]()));
    await this.verifier[Symbol.asyncDispose]();
    this.cgroup[Symbol.dispose]();
  }
}

/** A process that opens connections in the network of another process. */
class Connections implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  constructor(networkOf: number) {
    this.#child = spawn("nsenter", [`--net=/proc/${networkOf}/ns/net`, process.execPath, script]);
    this.#child.stderr.pipe(process.stderr);
    createInterface(this.#child.stdout).on("line", (line) => {
      const { id, message } = JSON.parse(line) as Numbered<unknown>;
      this.#waiting.get(id)?.resolve(message);
      this.#waiting.delete(id);
    });
    this.#child.once("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("The process that opens connections ended."));
    });
  }

  run(message: Command): Promise<unknown> {
    this.#lastId += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#lastId, waiting);
    this.#child.stdin.write(`${JSON.stringify({ id: this.#lastId, message } satisfies Numbered<Command>)}\n`);
    return waiting.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (hasEnded(this.#child)) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
  }
}
