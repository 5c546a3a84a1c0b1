// Any Node.js can parse this: one that is too old gets a message instead of a syntax error.
"use strict";
const { enableCompileCache } = require("node:module");
const { homedir } = require("node:os");
const { join } = require("node:path");
const { isOlder } = require("../runtime/version.cjs");

// The build defines it, from package.json: ">= 24.5".
const required = REQUIRED_NODE;
if (isOlder(process.version, required)) {
  process.stderr.write(
    `The k8sauth plugin needs Node.js ${required}, and ${process.execPath} is ${process.version}. Put a newer one first on the PATH.\n`,
  );
  process.exit(1);
}

if (!process.env.NODE_COMPILE_CACHE) {
  // The user's own folder. Others must not be able to write to it, because the cache contains code.
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  enableCompileCache(join(caches, "k8sauth", "compile"));
}

Promise.resolve()
  .then(() => require("./plugin.cjs").start())
  .catch((error) => {
    process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
    process.exit(1);
  });
