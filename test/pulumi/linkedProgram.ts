import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "../support/stack.ts";

/** This repository's program in a folder of its own: the CLI writes new stacks' settings beside Pulumi.yaml. */
export class LinkedProgram implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<LinkedProgram> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-program-"));
    const names = (await readdir(program)).filter((name) => !/^Pulumi\..*\.yaml$|^\./.test(name));
    await Promise.all(names.map((name) => symlink(join(program, name), join(folder, name))));
    return new LinkedProgram(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
