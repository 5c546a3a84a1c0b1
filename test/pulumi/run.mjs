// `npm run test:pulumi`: proves with the Pulumi CLI of this machine that it and the embedded engine work on one stack's
// state folder. Not part of `npm test`: it needs `pulumi` with its plugins. Arguments go to vitest.
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
  const installed = JSON.parse(pulumi("plugin", "ls", "--json") ?? "[]");
  const versions = ["kubernetes", "tls"].map((name) => ({ name, version: packageVersion(name) }));
  const lacking = versions.filter(
    ({ name, version }) => !installed.some((plugin) => plugin.name === name && plugin.version === version),
  );
  if (lacking.length > 0) {
    missing(
      `the Pulumi CLI (${found}) lacks plugins in the versions that this repository's packages ask for. Install them: ` +
        lacking.map(({ name, version }) => `pulumi plugin install resource ${name} ${version}`).join("; "),
    );
  }
  console.log(["Pulumi CLI", found, ...versions.flatMap(({ name, version }) => [name, version])].join(" "));
}

/** The version of an installed `@pulumi/…` package, which is that of the plugin it needs. */
function packageVersion(name) {
  return JSON.parse(readFileSync(join(root, "node_modules", "@pulumi", name, "package.json"), "utf8")).version;
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
