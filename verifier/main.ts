/** The process: `node verifier.mjs`. Ends with 0 when it was asked to, 1 when it cannot run, 2 for a bad configuration. */
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
  const asked = stopSignal();
  try {
    const service = await startService(config, { log });
    await asked;
    await service.stop();
    process.exit(0);
  } catch (error) {
    log.error(errorFields(error), "the verifier cannot start");
    process.exit(1);
  }
}

/** As process 1 of a container there is no default handling of signals. The second one ends at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
    }
  });
}
