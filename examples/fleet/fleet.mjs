#!/usr/bin/env node
// The first thing that runs, on whatever Node.js there is.
import { fileURLToPath, pathToFileURL } from "node:url";
import { capable, install, runOnBundledNode } from "../../cli/install.mjs";

await install();
if (capable) await import(pathToFileURL(fileURLToPath(new URL("main.ts", import.meta.url))).href);
else runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
