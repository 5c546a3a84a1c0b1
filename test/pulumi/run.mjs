// `npm run test:pulumi`: proves with the Pulumi CLI of this machine that it and the embedded engine work on one stack's
// state folder. Not part of `npm test`: it needs `pulumi` and its Kubernetes plugin. Arguments go to vitest.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capable, install, root, runOnBundledNode } from "../../cli/install.mjs";

await install();
if (!capable) runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
else {
  requireCli();
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = fileURLToPath(new URL("vitest.config.ts", import.meta.url));
  const args = [vitest, "run", "--root", root, "--config", config, ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1);
}

/** Ends with what is missing and how to get it; nothing is downloaded here. */
function requireCli() {
  const found = pulumi("version");
  if (found === undefined) {
    missing(
      "the Pulumi CLI is not on the PATH. This test needs the real one: install it (https://www.pulumi.com/docs/install) " +
        "and run it again. `npm test` needs no Pulumi CLI.",
    );
  }
  const manifest = join(root, "node_modules", "@pulumi", "kubernetes", "package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  const plugins = JSON.parse(pulumi("plugin", "ls", "--json") ?? "[]");
  if (!plugins.some((plugin) => plugin.name === "kubernetes" && plugin.version === version)) {
    missing(
      `the Pulumi CLI (${found}) has no Kubernetes plugin ${version}, which this repository's @pulumi/kubernetes asks for. ` +
        `Install it: pulumi plugin install resource kubernetes ${version}`,
    );
  }
  console.log(`Pulumi CLI ${found}, Kubernetes plugin ${version}`);
}

/** What a command prints; undefined where there is no CLI or it fails. */
function pulumi(...args) {
  const { status, stdout } = spawnSync("pulumi", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return status === 0 ? stdout.trim() : undefined;
}

function missing(what) {
  console.error(`npm run test:pulumi can't run: ${what}`);
  process.exit(1);
}
