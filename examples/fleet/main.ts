/** Runs `up` or `preview` on the stacks of many clusters: see README.md in this folder. */
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import pMap from "p-map";
import { parseList, stackMB } from "./list.ts";
import { expiryPage } from "./report.ts";
import { runStack } from "./stack.ts";

const usage =
  "Usage: node main.ts up|preview [--list fleet.yaml] [--report FILE.json] [--page FILE.html] [--expect-no-changes]";

async function prepare() {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: text, report: text, page: text, "expect-no-changes": { type: "boolean" } },
  });
  const [operation] = positionals;
  if (positionals.length !== 1 || (operation !== "up" && operation !== "preview")) throw new Error(usage);
  const { list: file = "fleet.yaml", "expect-no-changes": expectNoChanges } = values;
  const list = parseList(await readFile(file, "utf8"), file);
  const pulumiCommand = await PulumiCommand.get().catch(({ message }: Error) => {
    const hint = 'If it is not installed: eval "$(npx --no k8sauth pulumi --print-env)"';
    throw new Error(`\`pulumi\` does not start. ${hint}\n${message}`);
  });
  return { ...list, options: { ...list.options, expectNoChanges }, operation, values, pulumiCommand } as const;
}

const prepared = await prepare().catch((error: Error) => {
  console.error(error.message);
  process.exit(2);
});
const [interruption, cancellation] = [new AbortController(), new AbortController()];
// A terminal sends SIGINT to Pulumi too. A second SIGINT would stop it without its clean-up.
process.on("SIGINT", () => interruption.abort());
process.on("SIGTERM", () => {
  interruption.abort();
  cancellation.abort();
});

const { operation, values, clusters, parallel } = prepared;
console.log(
  `${operation} of ${clusters.length} stacks, ${parallel} at a time; each takes about ${stackMB} MB of memory`,
);
const width = Math.max(...clusters.map(({ name }) => name.length));
const run = { ...prepared, interrupted: interruption.signal, cancelled: cancellation.signal };
const stacks = await pMap(
  clusters,
  (cluster) => runStack(cluster, run, (line) => console.log(`${cluster.name.padEnd(width)}  ${line}`)),
  { concurrency: parallel },
);

const ended = new Date();
if (values.report) await writeFile(values.report, `${JSON.stringify({ operation, ended, stacks }, null, 2)}\n`);
if (values.page) await writeFile(values.page, expiryPage(stacks, ended));
const succeeded = stacks.filter(({ status }) => status === "succeeded").length;
console.log(`${succeeded} of ${stacks.length} succeeded`);
process.exitCode = interruption.signal.aborted ? 130 : succeeded === stacks.length ? 0 : 1;
