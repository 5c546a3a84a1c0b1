// Every Node.js can parse this file, so an old one prints a message and not a syntax error.
"use strict";
require("../runtime/node.cjs").prepareNode();

import("./main.ts")
  .then(({ start }) => start())
  .catch((error) => {
    process.stderr.write(`k8sauth: the resource plugin did not start: ${error.stack}\n`);
    process.exit(1);
  });
