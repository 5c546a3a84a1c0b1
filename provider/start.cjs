// Any Node.js can parse this: one that is too old gets a message instead of a syntax error.
"use strict";
require("../runtime/node.cjs").prepareNode();

import("./main.ts").catch((error) => {
  process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
  process.exit(1);
});
