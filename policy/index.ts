/** The policy pack as a process: `pulumi preview --policy-pack policy`. */
import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

new PolicyPack("k8sauth", { policies });

// An engine that is killed does not stop its plugins. The process of the pack then has another parent, and exits.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
}, 1_000).unref();
