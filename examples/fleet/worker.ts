/** One stack's operation, in a process of its own. Its parent tells it what, by messages. */
import type { StackDriver } from "./driver.ts";
import type { FromWorker, ToWorker } from "./isolated.ts";

type Order = Extract<ToWorker, { kind: "task" }>;

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
  else void work(message);
});

async function work(order: Order): Promise<void> {
  const watch = {
    progress: (text: string) => void tell({ kind: "progress", text }),
    log: (line: string) => void tell({ kind: "log", line }),
    signal: controller.signal,
  };
  try {
    const driver = await driverOf(order);
    await tell({ kind: "done", changes: await driver.run(order.task, watch) });
  } catch (error) {
    const { message, code } = error as Error & { code?: unknown };
    await tell({ kind: "failed", message, ...(typeof code === "string" && { code }) });
  }
  if (process.connected) process.disconnect();
}

/** Only the engine that is asked for is loaded. */
async function driverOf({ engine, secretsProvider }: Order): Promise<StackDriver> {
  if (engine === "embedded") return new (await import("./embedded.ts")).EmbeddedDriver(process.env);
  return new (await import("./automation.ts")).AutomationDriver(process.env, secretsProvider);
}
