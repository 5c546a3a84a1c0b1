/** One stack's operation by the embedded engine, in a process of its own. Its parent tells it what, by messages. */
import {
  type Changes,
  destroy,
  EngineError,
  type EngineEvent,
  nameOf,
  refresh,
  typeOf,
  update,
} from "../../engine/index.ts";
import type { Task } from "./driver.ts";
import type { FromWorker, ToWorker } from "./embedded.ts";

const controller = new AbortController();
const stop = () => controller.abort(new Error("Interrupted."));

/** Nothing is told to a parent that is gone. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

// Without its parent nobody waits for the stack: it stops as after Ctrl-C, with its state saved.
process.on("disconnect", stop);
process.on("message", (message: ToWorker) => {
  if (message.kind === "stop") stop();
  else void work(message.task);
});

async function work(task: Task): Promise<void> {
  try {
    await tell({ kind: "done", changes: await run(task) });
  } catch (error) {
    const code = error instanceof EngineError ? error.code : undefined;
    await tell({ kind: "failed", message: (error as Error).message, ...(code && { code }) });
  }
  if (process.connected) process.disconnect();
}

async function run({ operation, program, cluster, settingsFile, refreshFirst, policyPacks }: Task): Promise<Changes> {
  const { env } = process;
  const options = {
    folder: program,
    stack: cluster.stack,
    configFile: settingsFile,
    env,
    emit,
    signal: controller.signal,
  };
  const packs = policyPacks.map((folder) => ({ folder }));
  if (operation === "refresh") return (await refresh({ ...options, preview: false })).changes;
  if (operation === "destroy") return (await destroy({ ...options, preview: false })).changes;
  if (operation === "up" && refreshFirst) await refresh({ ...options, preview: false });
  return (await update({ ...options, preview: operation === "preview", policyPacks: packs })).changes;
}

function emit(event: EngineEvent): void {
  if (event.kind === "diagnostic") {
    const { severity, message, ephemeral } = event;
    if (ephemeral) void tell({ kind: "progress", text: message });
    else void tell({ kind: "log", line: severity === "info" ? message : `${severity}: ${message}` });
    return;
  }
  const { state, operation, urn } = event;
  if (operation === "same") return;
  const what = `${operation} ${typeOf(urn).split(":").at(-1)} ${nameOf(urn)}`;
  if (state === "started") void tell({ kind: "progress", text: what });
  else void tell({ kind: "log", line: state === "failed" ? `${what} failed` : what });
}
