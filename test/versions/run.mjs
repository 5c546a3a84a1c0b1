// `npm run test:versions`: brings what is missing, then runs the cluster tests on each version of Kubernetes.
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { capable, install, root, runOnBundledNode } from "../../cli/install.mjs";

await install();
if (!capable) runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
else await import(pathToFileURL(join(root, "test", "versions", "main.ts")).href);
