import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as cycloneDx from "@cyclonedx/cyclonedx-library";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { verifierPod } from "../../../components/verifier/manifests.ts";
import { type Bundle, bundleClient, bundleVerifier } from "../../../verifier/bundle/bundle.ts";
import { licenseTexts } from "../../../verifier/bundle/licenses.ts";
import { bundledPackages } from "../../../verifier/bundle/packages.ts";
import { sbom } from "../../../verifier/bundle/sbom.ts";
import { dockerfileImage } from "../../support/dockerfile.ts";
import { Folder } from "../../support/verifier/verifier.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
let verifier: Bundle;
let client: Bundle;
beforeAll(async () => {
  [verifier, client] = await Promise.all([bundleVerifier(), bundleClient()]);
});

test("the packages of a bundle are those whose files it names", () => {
  for (const { code, contents } of [verifier, client]) {
    const named = [...code.matchAll(/^\/\/ (node_modules\/(?:@[^/\n]+\/)?[^/\n]+)\//gm)].map(([, path]) => path);
    expect(contents.packages.map(({ path }) => path)).toEqual([...new Set(named)].sort());
  }
  expect(verifier.contents.packages.map(({ name }) => name)).toEqual(["jose"]);
});

test("a package counts if its code is in the output, also if another file re-exports it", async () => {
  using folder = new Folder();
  const files = {
    "main.js": 'import { a } from "a"; import "unused"; console.log(a);',
    "node_modules/a/package.json": '{"name":"a","version":"1.0.0","license":"MIT"}',
    "node_modules/a/index.js": 'export { a } from "./a.js";',
    "node_modules/a/a.js": 'import { b } from "@scope/b"; import "node:fs"; export const a = b;',
    "node_modules/@scope/b/package.json": '{"name":"@scope/b","version":"2.0.0","license":"ISC"}',
    "node_modules/@scope/b/index.js": "export const b = Math.random();",
    "node_modules/unused/package.json": '{"name":"unused","version":"3.0.0","sideEffects":false}',
    "node_modules/unused/index.js": "export const unused = 1;",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, dirname(path)), { recursive: true });
    folder.write(path, text);
  }
  const { metafile } = await build({
    entryPoints: [join(folder.path, "main.js")],
    absWorkingDir: folder.path,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    logLevel: "silent",
  });
  expect(bundledPackages(metafile, folder.path)).toEqual({
    packages: [
      { path: "node_modules/@scope/b", name: "@scope/b", version: "2.0.0", license: "ISC" },
      { path: "node_modules/a", name: "a", version: "1.0.0", license: "MIT" },
    ],
    imports: new Map([
      ["", ["node_modules/a"]],
      ["node_modules/@scope/b", []],
      ["node_modules/a", ["node_modules/@scope/b"]],
    ]),
  });
});

describe("licenses", () => {
  /** A phrase that a text of each license contains. */
  const wording: Readonly<Record<string, RegExp>> = {
    MIT: /Permission is hereby granted, free of charge/,
    "Apache-2.0": /Apache License\s+Version 2\.0.*END OF TERMS AND CONDITIONS/s,
  };

  test("of everything that is bundled accompany the bundle, as texts of the licenses that the packages declare", () => {
    for (const { contents, bundler, licenses } of [verifier, client]) {
      const sections = licenses.split(/^(?=\S.* \(.+\)\n-+$)/m).slice(1);
      const all = [...contents.packages, bundler];
      expect(sections).toHaveLength(all.length);
      all.forEach(({ name, version, license = "" }, index) => {
        expect(sections[index]).toMatch(new RegExp(`^${name} ${version.replaceAll(".", "\\.")} \\(${license}\\)\n`));
        expect(sections[index]).toMatch(wording[license] ?? expect.fail(`no wording of ${license} is known`));
        expect(sections[index]).toMatch(/Copyright/);
      });
    }
  });

  function packageWith(files: Readonly<Record<string, string>>, license?: string) {
    const folder = new Folder();
    for (const [name, text] of Object.entries(files)) folder.write(name, text);
    return { folder, one: { path: "", name: "left-pad", version: "1.3.0", license } };
  }

  test.each([
    ["no license text", { "README.md": "MIT" }, "MIT", /left-pad 1\.3\.0 has no license text/],
    ["a license that is not permissive", { LICENSE: "…" }, "AGPL-3.0-only", /declares the license AGPL-3\.0-only/],
    ["a choice of licenses", { LICENSE: "…" }, "(MIT OR GPL-2.0)", /declares the license \(MIT OR GPL-2\.0\)/],
    ["no declared license", { LICENSE: "…" }, undefined, /declares the license \(none\)/],
  ])("a package with %s cannot be bundled", (_, files, license, problem) => {
    const { folder, one } = packageWith(files, license);
    using _folder = folder;
    expect(() => licenseTexts([one], folder.path)).toThrow(problem);
  });

  test("that apply together are permissive if each of them is", () => {
    const { folder, one } = packageWith({ "LICENSE.md": "terms", "LICENSE-parts.md": "further terms" });
    using _folder = folder;
    const under = (license: string) => licenseTexts([{ ...one, license }], folder.path);
    expect(under("(BSD-3-Clause AND Apache-2.0)")).toMatch(/further terms\n\nterms/);
    expect(() => under("(MIT AND GPL-2.0)")).toThrow("declares the license (MIT AND GPL-2.0)");
  });

  test("come with the NOTICE of a package that has one", () => {
    const { folder, one } = packageWith({ "LICENSE.md": "terms\r\n", "NOTICE.txt": "attribution" }, "Apache-2.0");
    using _folder = folder;
    expect(licenseTexts([one], folder.path)).toContain(
      "left-pad 1.3.0 (Apache-2.0)\n---------------------------\n\nterms\n\nattribution\n",
    );
  });
});

describe("the SBOM", () => {
  const validate = (text: string) =>
    new cycloneDx.Validation.JsonStrictValidator(cycloneDx.Spec.Version.v1dot6).validate(text);

  test("is valid by CycloneDX's own schema, which refuses a wrong one", async () => {
    for (const bundle of [verifier, client]) expect(await validate(sbom(bundle, root))).toBeNull();
    const wrong = sbom(verifier, root).replace('"SHA-512"', '"SHA-513"');
    expect(await validate(wrong)).not.toBeNull();
  });

  test("names each package with version, license, purl and the hash of the lock file, and which imports which", () => {
    const bom = JSON.parse(sbom(verifier, root));
    expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
    expect(bom.metadata.component).toMatchObject({
      name: "k8sauth-verifier",
      hashes: [{ alg: "SHA-256", content: verifier.sha256 }],
      licenses: [{ license: { id: "Apache-2.0" } }],
    });
    const { version, license, integrity } = lock.packages["node_modules/jose"];
    const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
    const purl = `pkg:npm/jose@${version}`;
    expect(bom.components).toMatchObject([
      { name: "jose", version, purl, hashes: [{ alg: "SHA-512", content }], licenses: [{ license: { id: license } }] },
    ]);
    expect(bom.dependencies).toEqual([
      { ref: bom.metadata.component["bom-ref"], dependsOn: [purl] },
      { ref: purl, dependsOn: [] },
    ]);
    expect(JSON.parse(sbom(client, root))).toMatchObject({
      components: [],
      metadata: { component: { name: "k8sauth-client" } },
    });
  });

  test("of a scoped package has its scope as the group, and an encoded purl", async () => {
    const path = "node_modules/@opentelemetry/api";
    const scoped = { path, name: "@opentelemetry/api", version: lock.packages[path].version, license: "Apache-2.0" };
    const packages = [scoped, ...verifier.contents.packages];
    const imports = new Map([
      ["", ["node_modules/jose"]],
      ["node_modules/jose", [path]],
    ]);
    const text = sbom({ ...verifier, contents: { packages, imports } }, root);
    expect(await validate(text)).toBeNull();
    const { components, dependencies } = JSON.parse(text);
    const purl = `pkg:npm/%40opentelemetry/api@${scoped.version}`;
    expect(components[0]).toMatchObject({ group: "@opentelemetry", name: "api", purl });
    expect(dependencies).toContainEqual({ ref: components[1].purl, dependsOn: [purl] });
    expect(dependencies).toContainEqual({ ref: purl, dependsOn: [] });
  });
});

/** A copy of what the bundles are made from. */
function checkout(folder: string, { linkModules = false } = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const path of ["package.json", "package-lock.json", "LICENSE", "verifier"])
    cpSync(join(root, path), join(folder, path), { recursive: true });
  const modules = join(folder, "node_modules");
  if (linkModules) symlinkSync(join(root, "node_modules"), modules);
  else
    for (const name of ["esbuild", "@esbuild", "jose"])
      cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true });
  return folder;
}

function emit(from: string, to: string, more: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return spawnSync(process.execPath, [join(from, "verifier", "bundle", "emit.ts"), to], { encoding: "utf8", ...more });
}

describe("built from another checkout", () => {
  test("every file has the same bytes, whatever the folder, time zone and kind of node_modules", () => {
    using target = new Folder();
    const one = checkout(join(target.path, "a"));
    const other = checkout(join(target.path, "a folder", "b"), { linkModules: true });
    const env = { PATH: process.env.PATH, TZ: "Pacific/Kiritimati", LANG: "de_DE.UTF-8" };
    const runs = [
      emit(one, join(target.path, "out-a"), { cwd: one }),
      emit(other, join(target.path, "out-b"), { cwd: dirname(other), env }),
    ];
    for (const { status, stderr } of runs) expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [first = {}, second = {}] = ["out-a", "out-b"].map((out) =>
      Object.fromEntries(
        readdirSync(join(target.path, out)).map((name) => [name, readFileSync(join(target.path, out, name), "utf8")]),
      ),
    );
    expect(Object.keys(first)).toHaveLength(7);
    expect(second).toEqual(first);
    expect(first["verifier.mjs"]).toBe(verifier.code);
    expect(first["client.mjs"]).toBe(client.code);
    for (const text of Object.values(first)) expect(text).not.toContain(target.path);
  });

  test("there is no SBOM of packages that are not those of the lock file", () => {
    using target = new Folder();
    const one = checkout(join(target.path, "a"));
    const file = join(one, "node_modules", "jose", "package.json");
    const installed = JSON.parse(readFileSync(file, "utf8"));
    rmSync(file);
    writeFileSync(file, JSON.stringify({ ...installed, version: "0.0.1" }));
    const { status, stderr } = emit(one, join(target.path, "out"));
    expect(status).toBe(1);
    expect(stderr).toContain("node_modules/jose is version 0.0.1, and package-lock.json has ");
  });
});

test("the Dockerfile runs the same command as a pod with the program in a ConfigMap, as the same user and without a shell", () => {
  const image = dockerfileImage({
    dockerfile: join(root, "verifier", "Dockerfile"),
    context: "/context",
    base: { name: "base", files: [] },
    name: "verifier",
  });
  const pod = verifierPod({
    mode: "hybrid",
    image: "base",
    labels: {},
    configMap: "verifier",
    serviceAccount: "verifier",
    tlsSecret: "serving",
  });
  expect([...(image.entrypoint?.slice(1) ?? []), ...(image.command ?? [])]).toEqual(pod.containers[0]?.args);
  expect(image.user).toBe(`${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}`);
  const files = ["verifier.mjs", "verifier.licenses.txt", "verifier.cdx.json", "LICENSE"];
  expect(image.files).toEqual(files.map((name) => ({ path: `/app/${name}`, from: `/context/${name}`, mode: 0o444 })));
});
