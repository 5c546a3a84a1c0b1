/**
 * Turns off the debug log of Pulumi's SDK. It contains whole registrations of resources, credentials included, which `pulumi up --json`,
 * `--debug`, `-v=9` and `--event-log` would print. The program imports this module first. Components do not import it, because a library does
 * not change the log of its program.
 */
import { createRequire } from "node:module";

const log = createRequire(import.meta.url)("@pulumi/pulumi/log") as { debug: () => Promise<void> };
log.debug = async () => {};
