// Pulumi's runner registers ts-node for `.ts` files that are required. ts-node supports neither ES modules nor `.ts` specifiers. This file
// imports the pack instead, so that Node.js loads it and strips the types.
"use strict";
const { dirname, join } = require("node:path");

function fail(problem) {
  process.stderr.write(`k8sauth: ${problem}\n`);
  process.exit(1);
}

/** The node_modules folder with the SDK. */
function modulesFolder() {
  try {
    return join(dirname(require.resolve("@pulumi/policy/package.json")), "..", "..");
  } catch {
    return fail(`the policy pack has no @pulumi/policy installed. Run \`npm install\` in ${__dirname}.`);
  }
}

// The pack also works without the rest of the repository, so its own package.json has the required version of Node.js.
const required = require("./package.json").engines.node.replace(/^>=/, ">= ");
const [major, minor] = process.version.slice(1).split(".").map(Number);
const [leastMajor, leastMinor] = required.slice(3).split(".").map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor) || !process.features.typescript) {
  process.stderr.write(
    `k8sauth needs Node.js ${required} for its policy pack, and ${process.execPath} is ${process.version}. Put a newer one first on the PATH.\n`,
  );
  process.exit(1);
}
const folder = modulesFolder();
if (!process.env.NODE_COMPILE_CACHE) {
  // Node.js executes the cached code, and the code in node_modules. Other users must be able to write to neither.
  require("node:module").enableCompileCache(join(folder, ".cache", "k8sauth"));
}
import("./index.ts").catch((error) => fail(`the policy pack did not start: ${error.stack}`));
