/** The command: `node client.mjs --url … --token-file …`. */
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceClient } from "./client.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import { type ClientCommand, clientCommand, clientHelp } from "./flags.ts";

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(clientHelp);
    return;
  }
  let command: ClientCommand;
  let client: ServiceClient;
  try {
    command = clientCommand(args, process.env);
    const { url, tokenFile, caFile, timeoutSeconds, attempts } = command;
    client = new ServiceClient({ url, tokenFile, caFile, timeoutMs: timeoutSeconds * 1000, attempts });
  } catch (error) {
    print(fields(error));
    process.exitCode = 2;
    return;
  }
  const stopped = new AbortController();
  // Process 1 of a container has no default handling of signals.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopped.abort());
  for (let calls = 0; !stopped.signal.aborted; calls++) {
    const { line, isAccepted, isCancelled } = await callOnce(client, command, stopped.signal);
    // The end of a series cancels the call that is under way. That call says nothing about the service.
    if (isCancelled && calls > 0) break;
    print(line);
    process.exitCode = isAccepted ? 0 : 1;
    if (command.intervalSeconds === undefined) break;
    await sleep(command.intervalSeconds * 1000, undefined, { signal: stopped.signal }).catch(() => {});
  }
  client.close();
}

interface Outcome {
  readonly line: object;
  readonly isAccepted: boolean;
  readonly isCancelled: boolean;
}

async function callOnce(
  client: ServiceClient,
  { url, showBody }: ClientCommand,
  signal: AbortSignal,
): Promise<Outcome> {
  const startedAt = performance.now();
  const took = () => Math.round(performance.now() - startedAt);
  try {
    const { status, attempts, body } = await client.call({ signal });
    const line = { url, status, attempts, ms: took(), ...(showBody ? { body } : {}) };
    return { line, isAccepted: status >= 200 && status <= 299, isCancelled: false };
  } catch (error) {
    const isCancelled = error instanceof ClientError && error.code === "CLIENT_ABORTED";
    return { line: { url, ...fields(error), ms: took() }, isAccepted: false, isCancelled };
  }
}

function fields(error: unknown): object {
  if (error instanceof ClientError) return { error: error.code, detail: error.message };
  return {
    error: "CLIENT_INTERNAL" satisfies ClientErrorCode,
    detail: error instanceof Error ? error.name : "unknown",
  };
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
}
