// Written so that any Node.js can read it: one that is too old must be told so, and not trip over a syntax error.
"use strict";
if (!process.features.typescript) {
  process.stderr.write(
    `k8sauth: the resource plugin needs Node.js 24 (22.18 at least), and ${process.execPath} is ${process.version}. ` +
      "Install a newer one and put it first on the PATH, or run `npm install` beside Pulumi.yaml.\n",
  );
  process.exit(1);
}
if (!process.env.NODE_COMPILE_CACHE) {
  // Where npm packages keep what they can make again; a folder that others can write to would be no place for code.
  require("node:module").enableCompileCache(
    require("node:path").join(__dirname, "..", "node_modules", ".cache", "k8sauth"),
  );
}
import("./main.ts").catch((error) => {
  process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
  process.exit(1);
});
