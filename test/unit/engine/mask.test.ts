import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type EngineEvent, openStack, type StackOptions, update } from "../../../engine/index.ts";
import { Mask } from "../../../engine/mask.ts";
import { program } from "../../support/stack.ts";

function masked(text: string, ...secrets: string[]): string {
  const mask = new Mask();
  mask.hide(secrets);
  return mask.text(text);
}

describe("a mask", () => {
  test("hides secrets wherever they stand, and leaves everything else", () => {
    expect(masked("a hush-1 and hush-1, b", "hush-1")).toBe("a [secret] and [secret], b");
    expect(masked("nothing here", "hush-1")).toBe("nothing here");
    expect(masked("nothing here")).toBe("nothing here");
  });

  test("takes a secret as text, not as a pattern", () => {
    expect(masked("hush hu.h $& a|b", "hu.h", "a|b")).toBe("hush [secret] $& [secret]");
  });

  test("hides the longer of two secrets of which one is a part of the other, and not its own word", () => {
    expect(masked("my secret is secret-plus", "secret", "secret-plus")).toBe("my [secret] is [secret]");
  });

  test("hides a secret inside a JSON text", () => {
    expect(masked(JSON.stringify({ key: 'quo"te\n' }), 'quo"te\n')).toBe('{"key":"[secret]"}');
  });

  test("hides the long lines of a secret of several lines, which arrive one by one", () => {
    const line = "c2VjcmV0IHNlY3JldCBzZWNyZXQ=";
    const secret = `kind: Config\n  token: ${line}\n`;
    expect(masked(`  token: ${line}`, secret)).toBe("  [secret]");
    expect(masked("kind: Config", secret)).toBe("kind: Config");
  });

  test("leaves what is too short or too common to be told from other text", () => {
    expect(masked("a is true: no", "a", "no", "true", "")).toBe("a is true: no");
  });

  test("hides in an error's message and stack", () => {
    const mask = new Mask();
    mask.hide(["hush-1"]);
    const error = mask.error(new Error("hush-1 is wrong"));
    expect(error.message).toBe("[secret] is wrong");
    expect(error.stack).not.toContain("hush-1");
  });
});

// Both runs start a program, which takes seconds on a busy machine.
describe("a program that prints its secret settings", { timeout: 60_000 }, () => {
  let folder: string;
  let events: EngineEvent[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "k8sauth-mask-"));
    events = [];
    await symlink(join(program, "node_modules"), join(folder, "node_modules"));
    await writeFile(
      join(folder, "Pulumi.yaml"),
      "name: shop\nruntime: {name: nodejs, options: {typescript: false}}\nmain: index.mjs\n",
    );
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function options(): StackOptions {
    const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}/state`, PULUMI_CONFIG_PASSPHRASE: "for tests" };
    return { folder, stack: "dev", env, emit: (event) => events.push(event) };
  }

  /** Settings as `pulumi config set --secret`, and `--secret --path`, write them. */
  async function configure(): Promise<void> {
    const stack = await openStack(options());
    const { settings: crypter } = await stack.crypters();
    const config = {
      "shop:whole": { secure: crypter.encrypt("hush-whole") },
      "shop:part": { name: "open", keys: [{ secure: crypter.encrypt("hush-part") }] },
    };
    await writeFile(join(folder, "Pulumi.dev.yaml"), stringify({ encryptionsalt: crypter.salt, config }));
  }

  test("shows [secret], on its output and in its log; outputs made of them are secret", async () => {
    await configure();
    await writeFile(
      join(folder, "index.mjs"),
      `import * as pulumi from "@pulumi/pulumi";
      const config = new pulumi.Config();
      const { name, keys } = config.requireObject("part");
      console.log("printed", config.require("whole"), name, keys[0]);
      pulumi.log.warn("logged " + config.require("whole"));
      export const part = config.requireSecretObject("part");`,
    );
    const { outputs } = await update({ ...options(), preview: true });
    const said = events.flatMap((event) => (event.kind === "diagnostic" ? [event.message] : [])).join("\n");
    expect(said).toContain("printed [secret] open [secret]");
    expect(said).toContain("logged [secret]");
    expect(said).not.toContain("hush");
    expect(outputs).toMatchObject({ part: { value: { name: "open", keys: ["hush-part"] } } });
  });

  test("shows [secret] in the error that it ends with", async () => {
    await configure();
    await writeFile(
      join(folder, "index.mjs"),
      `import * as pulumi from "@pulumi/pulumi";
      throw new Error("can't use " + new pulumi.Config().require("whole"));`,
    );
    const failed = update({ ...options(), preview: false });
    await expect(failed).rejects.not.toThrow(/hush/);
    expect(JSON.stringify(events)).toContain("can't use [secret]");
    expect(JSON.stringify(events)).not.toContain("hush");
  });
});
