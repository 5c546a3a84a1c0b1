// Installs the dependencies of a checkout, among them a Node.js that runs TypeScript. This file is JavaScript without dependencies, because
// it runs before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stamp = join(modules, ".cache", "k8sauth", "installed");

const { nodeProblem } = createRequire(import.meta.url)("../runtime/node.cjs");

/** Whether this process can run the TypeScript sources. */
export const capable = nodeProblem() === undefined;

/** Runs a script on the Node.js in node_modules, and exits with the script's exit status. */
export function runOnBundledNode(script, args) {
  const node = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (!existsSync(node)) {
    const wrong = `${process.execPath} is ${process.version}, and node_modules has no newer Node.js`;
    console.error(
      `${wrong}: run \`npm ci\` without --ignore-scripts, which installs one, or put one first on the PATH.`,
    );
    process.exit(1);
  }
  const child = spawn(node, [script, ...args], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both processes, and a second one would end the child without its clean-up.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

/** Installs the dependencies of a checkout once for each content of its lock file. A folder without a lock file is no checkout. */
export async function install() {
  const lock = join(root, "package-lock.json");
  if (!existsSync(lock)) return;
  const wanted = createHash("sha256").update(readFileSync(lock)).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  // After `npm ci` by hand the dependencies are installed already. npm lists them in its own copy of the lock file.
  const hidden = join(modules, ".package-lock.json");
  const complete = existsSync(hidden) && sameVersions(lock, hidden);
  if (!complete) await npmCi();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function sameVersions(lock, hidden) {
  const { packages: wanted } = JSON.parse(readFileSync(lock, "utf8"));
  const { packages: present } = JSON.parse(readFileSync(hidden, "utf8"));
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    return path === "" || optional || present[path]?.version === version;
  });
}

function npmCi() {
  const npm = process.env.npm_execpath ?? "npm";
  const [command, first] = npm.endsWith(".js") ? [process.execPath, [npm]] : [npm, []];
  if (spawnSync(command, [...first, "--version"]).status !== 0) {
    console.error("k8sauth needs npm to install its dependencies; it comes with Node.js.");
    process.exit(1);
  }
  console.error("Installing dependencies (once; npm ci) …");
  const started = Date.now();
  const total = Object.keys(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages).length;
  const child = spawn(command, [...first, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    // A separate group, so that a signal ends npm and all processes that it started. A second `npm ci` beside them would fail.
    detached: process.platform !== "win32",
    // `npm start` sets variables that describe its own run. They must not configure the inner `npm ci`.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !/^npm_(lifecycle|package|command)/.test(key)),
    ),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  let cancelledBy;
  const cancel = (signal) => {
    if (cancelledBy || child.exitCode !== null) return;
    cancelledBy = signal;
    // npm answers SIGTERM only when its downloads are done. `npm ci` begins with an empty folder, so nothing is lost.
    if (child.pid !== undefined) process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, cancel);
  let unpacked = 0;
  const heartbeat = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    const before = unpacked;
    unpacked = Math.min(countPackages(), total);
    // Packages for other platforms are never unpacked.
    const isUnpacked = unpacked === before && unpacked > total / 2;
    const done = isUnpacked
      ? "packages unpacked, installing Node.js 24"
      : `${unpacked} of about ${total} packages unpacked`;
    console.error(`  ${done}, ${seconds} s`);
  }, 3000);
  return new Promise((resolve) => {
    child.on("close", (code) => {
      clearInterval(heartbeat);
      for (const signal of signals) process.removeListener(signal, cancel);
      if (cancelledBy) {
        console.error("Installing the dependencies was cancelled. The next run starts it again.");
        process.exit(128 + constants.signals[cancelledBy]);
      } else if (code === 0) {
        console.error(`Dependencies installed in ${Math.round((Date.now() - started) / 1000)} s.`);
        resolve();
      } else {
        console.error(failure(output, code));
        process.exit(1);
      }
    });
  });
}

/** Why `npm ci` failed: in one line if the network is the reason. */
function failure(output, status) {
  const network = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT)\b/.exec(
    output,
  );
  if (!network)
    return `${output}\nInstalling the dependencies failed (npm ci, exit status ${status}). Run the command again. If it fails again, delete node_modules first.`;
  return `Installing the dependencies failed: npm cannot reach its registry (${network[1]}). Connect to the network, or set a registry that this machine can reach: npm config set registry URL.`;
}

function countPackages() {
  try {
    return readdirSync(modules).reduce(
      (count, entry) => count + (entry.startsWith("@") ? readdirSync(join(modules, entry)).length : 1),
      0,
    );
  } catch {
    return 0;
  }
}
