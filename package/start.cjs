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

import("./plugin.mjs").catch((error) => {
  process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
  process.exit(1);
});
