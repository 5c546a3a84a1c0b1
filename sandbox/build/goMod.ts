/** Contents of a go.mod. */

/** A part of the output of `go mod edit -json`. */
export interface ModFile {
  readonly Go?: string;
  readonly Require: readonly { readonly Path: string; readonly Version: string }[] | null;
  /** A replacement by a local folder has no version. */
  readonly Replace:
    | readonly {
        readonly Old: { readonly Path: string };
        readonly New: { readonly Path: string; readonly Version?: string };
      }[]
    | null;
}

/** The version of a module that a go.mod requires, with its `v`; "v0.0.0" if it does not require the module. */
export function moduleVersion(goMod: string, module: string): string {
  return (
    goMod
      .split("\n")
      .map((line) =>
        line
          .trim()
          .replace(/^require /, "")
          .split(" "),
      )
      .find(([path]) => path === module)?.[1] ?? "v0.0.0"
  );
}

/** Paths of the archives of all modules of a go.mod, in `cache/download` of the module cache. `!a` stands for an upper-case A. */
export function moduleZips(file: ModFile): string[] {
  const replaced = new Map((file.Replace ?? []).map(({ Old, New }) => [Old.Path, New]));
  return (file.Require ?? []).flatMap((module) => {
    const { Path, Version } = replaced.get(module.Path) ?? module;
    if (Version === undefined) return [];
    return `${Path}/@v/${Version}.zip`.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
  });
}
