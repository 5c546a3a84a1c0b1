// Pulumi's runner registers ts-node, which compiles `.ts` files that are required and knows neither ES modules nor `.ts`
// specifiers. What is imported goes through Node.js's own loader, which strips the types.
"use strict";
const { dirname, join } = require("node:path");

function end(why) {
  process.stderr.write(`k8sauth: ${why}\n`);
  process.exit(1);
}

/** The node_modules folder that the SDK is in. */
function modules() {
  try {
    return join(dirname(require.resolve("@pulumi/policy/package.json")), "..", "..");
  } catch {
    return end(`the policy pack has no @pulumi/policy installed. Run \`npm install\` in ${__dirname}.`);
  }
}

// The pack stands alone: it has its own package.json, whose version of Node.js is that of the product.
const required = require("./package.json").engines.node.replace(/^>=/, ">= ");
const [major, minor] = process.version.slice(1).split(".").map(Number);
const [leastMajor, leastMinor] = required.slice(3).split(".").map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor) || !process.features.typescript) {
  process.stderr.write(
    `k8sauth needs Node.js ${required} for its policy pack, and ${process.execPath} is ${process.version}. Put a newer one first on the PATH.\n`,
  );
  process.exit(1);
}
const folder = modules();
if (!process.env.NODE_COMPILE_CACHE) {
  // Where npm packages keep what they can make again; a folder that others can write to would be no place for code.
  require("node:module").enableCompileCache(join(folder, ".cache", "k8sauth"));
}
import("./index.ts").catch((error) => end(`the policy pack did not start: ${error.stack}`));
