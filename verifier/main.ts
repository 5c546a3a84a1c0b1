/**
 * The process: `node verifier.mjs`. Exit codes: 0 after SIGTERM or SIGINT, 1 if it cannot start or a second signal ends it, 2 for an invalid
 * configuration.
 */
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { helpText } from "./config/settings.ts";
import { createLog, errorFields } from "./log.ts";
import { startService } from "./service.ts";

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(helpText());
    return;
  }
  let config: Config;
  try {
    config = loadConfig({ args, env: process.env });
  } catch (error) {
    createLog("error").error(errorFields(error), "the configuration is not usable");
    process.exitCode = 2;
    return;
  }
  const log = createLog(config.logLevel);
  const signalled = stopSignal();
  try {
    const service = await startService(config, { log });
    await signalled;
    await service.stop();
    process.exit(0);
  } catch (error) {
    log.error(errorFields(error), "the verifier cannot start");
    process.exit(1);
  }
}

/** Resolves at the first signal. The second one ends the process at once. Process 1 of a container has no default handling of signals. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isSecond = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (isSecond) process.exit(1);
        isSecond = true;
        resolve();
      });
    }
  });
}
