import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { cacheKey, packagesToBuild, programSources, readSources } from "../../../sandbox/build/build.ts";
import { moduleVersion, moduleZips } from "../../../sandbox/build/goMod.ts";
import { ensureBinary } from "../../../sandbox/index.ts";

const folder = fileURLToPath(new URL("../../../sandbox/kubernetes", import.meta.url));

describe("the key of a cached binary", () => {
  const sources = [
    ["go.mod", "module a\n"],
    ["main.go", "package main\n"],
  ] as const;

  test("is the same for the same sources and toolchain", () => {
    expect(cacheKey(sources, ["go1.26.0 linux/amd64"])).toMatch(/^[0-9a-f]{20}$/);
    expect(cacheKey(sources, ["go1.26.0 linux/amd64"])).toBe(
      cacheKey(structuredClone(sources), ["go1.26.0 linux/amd64"]),
    );
  });

  test("changes with a content, a file's name, the boundary between files, and the toolchain", () => {
    const keys = [
      cacheKey(sources, ["go1.26.0 linux/amd64"]),
      cacheKey(sources, ["go1.26.1 linux/amd64"]),
      cacheKey(sources, ["go1.26.0 linux/arm64"]),
      cacheKey([sources[0], ["main.go", "package main \n"]], ["go1.26.0 linux/amd64"]),
      cacheKey([sources[0], ["mine.go", "package main\n"]], ["go1.26.0 linux/amd64"]),
      cacheKey(
        [
          ["go.mod", "module a\nmain.go"],
          ["", "package main\n"],
        ],
        ["go1.26.0 linux/amd64"],
      ),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("depends on the Go sources and on nothing else in the folder", () => {
    const names = readSources(folder).map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(["go.mod", "go.sum", "main.go", "supervise.go"]));
    expect(names.filter((name) => !/^go\.(mod|sum)$|\.go$/.test(name))).toEqual([]);
  });

  test("depends on the go.mod and go.sum of the build, under the names of the folder's", () => {
    const program = { name: "k8s", title: "Kubernetes", source: folder, goMod: "versions/1.34.mod" };
    const [own, other] = [readSources(folder), programSources(program)];
    expect(other.map(([name]) => name)).toEqual(own.map(([name]) => name));
    const changed = other.filter(([, content], index) => content !== own[index]?.[1]);
    expect(changed).toEqual([
      ["go.mod", readFileSync(`${folder}/versions/1.34.mod`, "utf8")],
      ["go.sum", readFileSync(`${folder}/versions/1.34.sum`, "utf8")],
    ]);
  });
});

test("the version comes from the requirement in go.mod, not from a replacement", () => {
  expect(
    moduleVersion("require (\n\tk8s.io/kubectl v0.1.0\n\tk8s.io/kubernetes v1.2.3\n)\n", "k8s.io/kubernetes"),
  ).toBe("v1.2.3");
});

test("archives are searched at their paths in the module cache, also those of replacements", () => {
  const file = {
    Require: [
      { Path: "github.com/Azure/go-ansiterm", Version: "v0.1.0" },
      { Path: "k8s.io/api", Version: "v0.0.0" },
    ],
    Replace: [{ Old: { Path: "k8s.io/api" }, New: { Path: "k8s.io/api", Version: "v0.36.3" } }],
  };
  expect(moduleZips(file)).toEqual(["github.com/!azure/go-ansiterm/@v/v0.1.0.zip", "k8s.io/api/@v/v0.36.3.zip"]);
});

test("only packages without an object in the build cache count as packages to build", () => {
  const list = [
    "unsafe\tfalse\t",
    "errors\ttrue\tnot installed but available in build cache",
    "k8s.io/api/core/v1\ttrue\tstale dependency: errors",
    "example\ttrue\tbuild ID mismatch",
    "",
  ].join("\n");
  expect([...packagesToBuild(list)]).toEqual(["k8s.io/api/core/v1", "example"]);
});

test("without Go, the error says what to install", async () => {
  const env = { HOME: "/nonexistent", PATH: "/nonexistent" };
  await expect(ensureBinary({ env })).rejects.toMatchObject({
    code: "SANDBOX_GO_MISSING",
    message: expect.stringContaining("Install Go 1.26"),
  });
});
