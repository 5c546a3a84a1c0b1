// Pulumi's runner registers ts-node, which compiles `.ts` files that are required and knows neither ES modules nor `.ts`
// specifiers. What is imported goes through Node.js's own loader, which strips the types.
"use strict";
if (!process.features.typescript) {
  process.stderr.write(
    `k8sauth: the policy pack needs Node.js 24 (22.18 at least), and ${process.execPath} is ${process.version}. ` +
      "Install a newer one and put it first on the PATH.\n",
  );
  process.exit(1);
}
if (!process.env.NODE_COMPILE_CACHE) {
  // Where npm packages keep what they can make again; a folder that others can write to would be no place for code.
  require("node:module").enableCompileCache(
    require("node:path").join(__dirname, "..", "node_modules", ".cache", "k8sauth"),
  );
}
import("./index.ts").catch((error) => {
  process.stderr.write(`k8sauth: the policy pack did not start: ${error.stack}\n`);
  process.exit(1);
});
