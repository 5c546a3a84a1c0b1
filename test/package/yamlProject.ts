/** Projects in YAML. */
import { delimiter, dirname, join } from "node:path";
import { ensureProgram, type GoProgram } from "../../sandbox/build/build.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { emptyFolder, Project, type Run } from "./project.ts";

/** Pulumi's own language host. The CLI that is built has none for YAML. */
const yamlHost: GoProgram = {
  name: "pulumi-language-yaml",
  title: "Pulumi's language host for YAML",
  source: join(import.meta.dirname, "yaml"),
  packages: ["github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"],
};

/** A test that makes its first YAML project waits for the build of the language host. */
export const hostBuildMs = 1_800_000;

export class YamlProject extends Project {
  /** @param name of the project in Pulumi.yaml */
  static async make(name: string, env: NodeJS.ProcessEnv = {}): Promise<YamlProject> {
    const [pulumi, host] = await Promise.all([ensurePulumi(), ensureProgram(yamlHost)]);
    const PATH = [pulumi.env.PATH, dirname(host)].join(delimiter);
    return new YamlProject(await emptyFolder(), name, pulumi, { PATH, ...env });
  }

  /** Output of a command, without the warning that the language host is not beside the CLI. */
  override async pulumi(...args: readonly string[]): Promise<Run> {
    const { status, output } = await super.pulumi(...args);
    return { status, output: output.replaceAll(/^.*(pulumi-language-yaml from \$PATH|\b1 warning).*$/gm, "") };
  }
}
