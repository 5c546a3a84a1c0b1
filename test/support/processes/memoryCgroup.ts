/** A memory cgroup, like that of a container with a memory limit. It needs root on Linux, and cgroup version 1 or 2. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class MemoryCgroup implements Disposable {
  readonly #folder: string;
  readonly #isV2: boolean;

  constructor(limitBytes: number) {
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "));
    const v1 = mounts.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes("memory"));
    const v2 = mounts.find(([, , type]) => type === "cgroup2");
    const root = (v1 ?? v2)?.[1];
    if (root === undefined) throw new Error("There is no cgroup file system with memory limits on this machine.");
    this.#isV2 = v1 === undefined;
    this.#folder = join(root, `k8sauth-test-${randomUUID()}`);
    if (this.#isV2) writeFileSync(join(root, "cgroup.subtree_control"), "+memory");
    mkdirSync(this.#folder);
    this.#write(this.#isV2 ? "memory.max" : "memory.limit_in_bytes", limitBytes);
    for (const swap of ["memory.memsw.limit_in_bytes", "memory.swap.max"])
      if (existsSync(join(this.#folder, swap))) this.#write(swap, this.#isV2 ? 0 : limitBytes);
    // Version 2 counts the kernel's memory of TCP towards the limit. Version 1 has a separate limit for it.
    if (!this.#isV2) this.#write("memory.kmem.tcp.limit_in_bytes", limitBytes);
  }

  /** A command line that joins the cgroup and then becomes the given one. */
  wrap(command: readonly string[]): string[] {
    return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', join(this.#folder, "cgroup.procs"), ...command];
  }

  /** Highest use so far, the kernel's memory included. */
  get peakBytes(): number {
    return this.#isV2
      ? this.#read("memory.peak")
      : this.#read("memory.max_usage_in_bytes") + this.#read("memory.kmem.tcp.max_usage_in_bytes");
  }

  /** Removes the cgroup. Fails while a process is in it. */
  [Symbol.dispose](): void {
    rmdirSync(this.#folder);
  }

  #read(file: string): number {
    return Number(readFileSync(join(this.#folder, file), "utf8"));
  }

  #write(file: string, value: number): void {
    writeFileSync(join(this.#folder, file), String(value));
  }
}
