// Node.js runs this before Pulumi's SDK (`nodeargs` in Pulumi.yaml): the SDK connects to the engine before it loads the program.
"use strict";
const { prepareNode } = require("./node.cjs");
const { noProxyForLoopback } = require("./loopback.cjs");

prepareNode();
noProxyForLoopback(process.env);
