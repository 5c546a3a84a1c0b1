/**
 * Keeps Pulumi's SDK from logging whole registrations at debug level, credentials included: `pulumi up --json`, `--debug`, `-v=9` and
 * `--event-log` would print them. The program imports this first. Components do not: a library leaves its host's log alone.
 */
import { createRequire } from "node:module";

const log = createRequire(import.meta.url)("@pulumi/pulumi/log") as { debug: () => Promise<void> };
log.debug = async () => {};
