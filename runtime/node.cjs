// Checks the version of Node.js, which package.json states.
"use strict";
const { join } = require("node:path");
const { engines } = require("../package.json");
const { isOlder } = require("./version.cjs");

/** The required version in messages: ">= 24.5". */
const required = engines.node.replace(/^>=/, ">= ");

/** Why a Node.js cannot run the sources, and what to do; undefined if it can. */
function nodeProblem({ version, features, execPath } = process) {
  const old = isOlder(version, required);
  if (!old && features.typescript) return undefined;
  const found = `${execPath} is ${version}${old ? "" : ", built or started without support for TypeScript"}`;
  return `k8sauth needs Node.js ${required}, and ${found}. Put a newer one first on the PATH, or run \`npx --no k8sauth pulumi\`, which uses the Node.js that \`npm ci\` installs.`;
}

/** Ends the process if its Node.js cannot run the sources. Otherwise enables the compile cache. */
function prepareNode() {
  const problem = nodeProblem();
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`);
    process.exit(1);
  }
  if (process.env.NODE_COMPILE_CACHE) return;
  // The cache contains code, so other users must not be able to write to its folder. node_modules belongs to the user that runs npm.
  require("node:module").enableCompileCache(join(__dirname, "..", "node_modules", ".cache", "k8sauth"));
}

module.exports = { nodeProblem, prepareNode, required };
