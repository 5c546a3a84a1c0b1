/** The policy pack as a process: `pulumi preview --policy-pack policy`. */
import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

new PolicyPack("k8sauth", { policies });

// A killed engine ends no process. The process that started this one stays its parent for as long as it lives.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
}, 1_000).unref();
