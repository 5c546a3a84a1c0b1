import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import grpc from "@grpc/grpc-js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { EngineError } from "./errors.ts";
import { GrpcProvider, type ProviderClient } from "./grpcProvider.ts";
import { channelOptions } from "./rpc.ts";

const startDeadline = 20_000;

/** How to start a resource plugin: the folder that `plugins.providers` in Pulumi.yaml names. */
export interface PluginSpec {
  readonly name: string;
  readonly executable: string;
}

/**
 * Starts a resource plugin as a child process. The protocol: its only argument is the engine's address, the first line
 * of its standard output is the port it serves on. It ends with `close`.
 */
export async function startPlugin(
  spec: PluginSpec,
  engineAddress: string,
  env: NodeJS.ProcessEnv,
  say: (message: string) => void,
): Promise<GrpcProvider> {
  const child = spawn(spec.executable, [engineAddress], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, as with the Pulumi CLI: a terminal's Ctrl-C reaches it only as our `cancel`.
    detached: process.platform !== "win32",
  });
  const errors: string[] = [];
  const listening: { port?: string } = {};
  createInterface({ input: child.stderr }).on("line", (line) => {
    errors.push(line);
    if (listening.port) say(line);
  });
  const port = await portOf(child, `The plugin ${spec.name} (${spec.executable})`, () => errors.join("\n"));
  listening.port = port;
  const address = `127.0.0.1:${port}`;
  const client = new providerGrpc.ResourceProviderClient(address, grpc.credentials.createInsecure(), channelOptions);
  return new GrpcProvider(spec.name, client as unknown as ProviderClient, engineAddress, () => stop(child));
}

/** The port that a child process serves on: the first line that it prints. `what` names it in errors. */
export function portOf(child: ChildProcess, what: string, errors: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`did not say its port within ${startDeadline / 1000} s.`), startDeadline);
    const fail = (why: string) => {
      // A deadline that goes on would keep this process alive until then.
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new EngineError("PLUGIN_FAILED", `${what} ${why}\n${errors()}`.trim()));
    };
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    // "close" comes after the last of its output, so that the reason it gave is there.
    child.once("close", (code, signal) => fail(`ended at once (${signal ?? `exit status ${code}`}).`));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once("line", (line) => {
      clearTimeout(timer);
      if (/^\d+$/.test(line.trim())) resolve(line.trim());
      else fail(`said "${line.slice(0, 80)}" where its port was expected.`);
    });
  });
}

/** Ends a child process, if need be by force. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 1_000);
  await ended;
  clearTimeout(timer);
}
