#!/usr/bin/env node
// The entry point of the command. It is JavaScript, because it also runs on a Node.js that cannot run TypeScript.
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { capable, install, root, runOnBundledNode } from "./install.mjs";

await install();
if (capable) await import(pathToFileURL(join(root, "cli", "main.ts")).href);
else runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
