// Every version of Node.js can parse this file, so one that is too old prints a message and no syntax error.
"use strict";
const { isOlder } = require("../runtime/version.cjs");

// The build replaces REQUIRED_NODE by `engines.node` of package.json, such as ">= 24.5".
const required = REQUIRED_NODE;
if (isOlder(process.version, required)) {
  process.stderr.write(
    `The k8sauth plugin needs Node.js ${required}, and ${process.execPath} is ${process.version}. Put a newer one first on the PATH.\n`,
  );
  process.exit(1);
}

// Node.js executes the cached code, so other users must not be able to write to the folder. A relative path could lead to such a folder.
const home = process.env.HOME || process.env.USERPROFILE;
if (home && !process.env.NODE_COMPILE_CACHE) {
  const { isAbsolute, join } = require("node:path");
  const caches = process.env.XDG_CACHE_HOME || join(home, ".cache");
  if (isAbsolute(caches)) require("node:module").enableCompileCache(join(caches, "k8sauth", "compile"));
}

Promise.resolve()
  .then(() => require("./plugin.cjs").start())
  .catch((error) => {
    process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
    process.exit(1);
  });
