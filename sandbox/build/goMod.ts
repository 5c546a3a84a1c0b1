/** What a go.mod says. */

/** The part of `go mod edit -json` that is read here. */
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

/** The version of a module that a go.mod requires, with its `v`. */
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

/** Where the module cache keeps the archives of all modules of a go.mod (upper-case letters become `!` and lower case). */
export function moduleZips(file: ModFile): string[] {
  const replaced = new Map((file.Replace ?? []).map(({ Old, New }) => [Old.Path, New]));
  return (file.Require ?? []).flatMap((module) => {
    const { Path, Version } = replaced.get(module.Path) ?? module;
    if (Version === undefined) return [];
    return `${Path}/@v/${Version}.zip`.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
  });
}
