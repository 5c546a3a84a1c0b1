/** The policy pack as a process: `pulumi preview --policy-pack policy`, `k8sauth preview --policy-pack policy`. */
import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

new PolicyPack("k8sauth", { policies });

// A killed engine tells nobody. Whoever started this process is its parent for as long as it lives.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
}, 1_000).unref();
