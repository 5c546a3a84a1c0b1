import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { writeNew } from "./backend.ts";
import { EngineError, messageOf, systemCode } from "./errors.ts";

/** Where state lives that no `PULUMI_BACKEND_URL` places elsewhere: `$XDG_STATE_HOME/k8sauth`, else `~/.local/state/k8sauth`. */
export function stateFolder(env: NodeJS.ProcessEnv): string {
  return userFolder(env, "XDG_STATE_HOME", [".local", "state"]);
}

/** Where what can be made again is kept: `$XDG_CACHE_HOME/k8sauth`, else `~/.cache/k8sauth`. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return userFolder(env, "XDG_CACHE_HOME", [".cache"]);
}

function userFolder(env: NodeJS.ProcessEnv, variable: string, below: readonly string[]): string {
  const base = env[variable];
  // The XDG specification: relative paths are invalid and ignored.
  if (base && isAbsolute(base)) return join(base, "k8sauth");
  const home = env.HOME || (env === process.env ? homedir() : "");
  if (!home) {
    throw new EngineError("NO_HOME", `There is no home folder to keep state in: set HOME or ${variable}.`);
  }
  return join(home, ...below, "k8sauth");
}

/**
 * The passphrase of a stack's secrets: `PULUMI_CONFIG_PASSPHRASE`, the content of `PULUMI_CONFIG_PASSPHRASE_FILE`, or
 * else one that is generated once and kept in the user's state folder, readable by the user alone.
 */
export async function passphraseFor(env: NodeJS.ProcessEnv): Promise<string> {
  if (env.PULUMI_CONFIG_PASSPHRASE !== undefined) return env.PULUMI_CONFIG_PASSPHRASE;
  const file = env.PULUMI_CONFIG_PASSPHRASE_FILE;
  if (file) {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      throw new EngineError("PASSPHRASE_MISSING", `PULUMI_CONFIG_PASSPHRASE_FILE can't be read: ${messageOf(error)}`);
    });
    return text.trim();
  }
  return generatedPassphrase(join(stateFolder(env), "passphrase"));
}

async function generatedPassphrase(file: string): Promise<string> {
  const read = async () => {
    const text = (await readFile(file, "utf8")).trim();
    if (text === "") throw new Error("it is empty; put the passphrase back, or remove the file if no stack needs it");
    return text;
  };
  try {
    return await read();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") {
      throw new EngineError("PASSPHRASE_MISSING", `${file} can't be read: ${messageOf(error)}`);
    }
  }
  const passphrase = randomBytes(24).toString("base64url");
  try {
    await writeNew(file, `${passphrase}\n`);
    return passphrase;
  } catch (error) {
    // Another run may have been first.
    if (systemCode(error) === "EEXIST") return read();
    throw new EngineError("STATE_UNWRITABLE", `${file} could not be written: ${messageOf(error)}`);
  }
}
