import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DockerfileParser, type Instruction, JSONInstruction, ModifiableInstruction } from "dockerfile-ast";
import type { ImageFile, ImageSpec } from "../../sandbox/index.ts";

export interface DockerfileBuild {
  /** Path of the Dockerfile. */
  readonly dockerfile: string;
  /** Build context: the folder of the files that it copies. */
  readonly context: string;
  /** The image that replaces that of its FROM. */
  readonly base: ImageSpec;
  readonly name: string;
}

/** The image that a Dockerfile of one stage without RUN describes, for a node without a container engine. */
export function dockerfileImage({ dockerfile, context, base, name }: DockerfileBuild): ImageSpec {
  const instructions = DockerfileParser.parse(readFileSync(dockerfile, "utf8")).getInstructions();
  let image: ImageSpec = { ...base, name };
  for (const one of instructions) image = { ...image, ...change(one, image, context) };
  return image;
}

function change(one: Instruction, image: ImageSpec, context: string): Partial<ImageSpec> {
  switch (one.getKeyword()) {
    // The base image is an argument. Labels and ports do not change what a container runs.
    case "ARG":
    case "FROM":
    case "LABEL":
    case "EXPOSE":
      return {};
    case "COPY":
      return { files: [...image.files, ...copied(one, context)] };
    case "USER":
      return { user: one.getArgumentsContent() ?? "" };
    case "ENTRYPOINT":
      return { entrypoint: execForm(one) };
    case "CMD":
      return { command: execForm(one) };
    default:
      throw new Error(`The test's builder does not support ${one.getKeyword()}.`);
  }
}

/** `COPY [--chmod=MODE] FILE… FOLDER/` */
function copied(one: Instruction, context: string): ImageFile[] {
  const paths = one.getArguments().map((argument) => argument.getValue());
  const folder = paths.pop() ?? "";
  const flags = one instanceof ModifiableInstruction ? one.getFlags() : [];
  const mode = flags.find((flag) => flag.getName() === "chmod")?.getValue() ?? "0644";
  return paths.map((path) => ({ path: `${folder}${path}`, from: join(context, path), mode: Number.parseInt(mode, 8) }));
}

function execForm(one: Instruction): string[] {
  const strings = one instanceof JSONInstruction ? one.getJSONStrings() : [];
  if (strings.length === 0) throw new Error(`${one.getKeyword()} is not in the exec form, which needs no shell.`);
  return strings.map((argument) => argument.getJSONValue());
}
