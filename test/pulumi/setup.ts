import { progressPrinter } from "../../sandbox/index.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";

/** The CLI that the tests of this project look at is the one that is built, whatever is on the PATH. */
export default async function setup(): Promise<void> {
  const print = (text: string) => process.stderr.write(text);
  const { onProgress } = progressPrinter(print, false);
  const env = { ...process.env, K8SAUTH_PULUMI: "build" };
  await ensurePulumi({ env, onProgress, onNotice: (line) => print(`${line}\n`) });
}
