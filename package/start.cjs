// Any Node.js can parse this: one that is too old gets a message instead of a syntax error.
"use strict";
const { isOlder } = require("../runtime/version.cjs");

// The build defines it, from package.json: ">= 24.5".
const required = REQUIRED_NODE;
if (isOlder(process.version, required)) {
  process.stderr.write(
    `The k8sauth plugin needs Node.js ${required}, and ${process.execPath} is ${process.version}. Put a newer one first on the PATH.\n`,
  );
  process.exit(1);
}

// In the user's home, where there is one: other users must not be able to write to the cache, because it contains code.
const home = process.env.HOME || process.env.USERPROFILE;
if (home && !process.env.NODE_COMPILE_CACHE) {
  const { join } = require("node:path");
  const caches = process.env.XDG_CACHE_HOME || join(home, ".cache");
  require("node:module").enableCompileCache(join(caches, "k8sauth", "compile"));
}

Promise.resolve()
  .then(() => require("./plugin.cjs").start())
  .catch((error) => {
    process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
    process.exit(1);
  });
