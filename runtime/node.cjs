// The one check of the Node.js version. package.json states the version; every message gets it from there.
"use strict";
const { join } = require("node:path");
const { engines } = require("../package.json");
const { isOlder } = require("./version.cjs");

/** The versions that work, as prose has them: ">= 24.5". */
const required = engines.node.replace(/^>=/, ">= ");

/** What a Node.js lacks to run the sources, and what to do; undefined if it runs them. */
function complaint({ version, features, execPath } = process) {
  const old = isOlder(version, required);
  if (!old && features.typescript) return undefined;
  const found = `${execPath} is ${version}${old ? "" : ", built or started without support for TypeScript"}`;
  return `k8sauth needs Node.js ${required}, and ${found}. Put a newer one first on the PATH, or run \`npx --no k8sauth pulumi\`, which uses the Node.js that \`npm ci\` installs.`;
}

/** Ends the process if its Node.js cannot run the sources; else keeps compiled code for the next start. */
function prepareNode() {
  const why = complaint();
  if (why !== undefined) {
    process.stderr.write(`${why}\n`);
    process.exit(1);
  }
  if (process.env.NODE_COMPILE_CACHE) return;
  // Where npm packages keep what they can make again; a folder that others can write to would be no place for code.
  require("node:module").enableCompileCache(join(__dirname, "..", "node_modules", ".cache", "k8sauth"));
}

module.exports = { complaint, prepareNode, required };
