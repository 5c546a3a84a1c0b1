/** Writes the software bill of materials of a bundle: CycloneDX 1.6 (ECMA-424), as JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundle.ts";
import type { Package } from "./packages.ts";

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
}

/**
 * The bundle is the root component, its packages are the components, and imports are dependencies. Serial number and time are omitted, so
 * that the same bundle has the same SBOM.
 *
 * @param root folder of package.json and package-lock.json
 * @throws Error if an installed package is not the one in package-lock.json, whose hash the SBOM carries
 */
export function sbom({ name, sha256, contents, bundler }: Bundle, root: string): string {
  const { version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const lock: LockFile = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const product = `k8sauth-${name}`;
  const productRef = `pkg:generic/${product}@${version}`;
  const refs = new Map([["", productRef], ...contents.packages.map((one) => [one.path, purl(one)] as const)]);
  const refsOf = (paths: readonly string[]) => paths.flatMap((path) => refs.get(path) ?? []);
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      lifecycles: [{ phase: "build" }],
      tools: { components: [component(bundler, lock, "application")] },
      component: {
        "bom-ref": productRef,
        type: "application",
        name: product,
        version,
        hashes: [{ alg: "SHA-256", content: sha256 }],
        licenses: [{ license: { id: license } }],
        purl: productRef,
      },
    },
    components: contents.packages.map((one) => component(one, lock, "library")),
    dependencies: [...refs].map(([path, ref]) => ({ ref, dependsOn: refsOf(contents.imports.get(path) ?? []) })),
    compositions: [{ aggregate: "complete", assemblies: [productRef] }],
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}

/** A package, with the hash of its tarball. */
function component(one: Package, lock: LockFile, type: "application" | "library") {
  const locked = lock.packages[one.path];
  if (locked?.version !== one.version)
    throw new Error(
      `${one.path} is version ${one.version}, and package-lock.json has ${locked?.version ?? "none"}. Run npm ci.`,
    );
  const [, group, name] = /^(?:(@[^/]+)\/)?(.+)$/.exec(one.name) ?? [];
  return {
    "bom-ref": purl(one),
    type,
    ...(group && { group }),
    name,
    version: one.version,
    ...(locked.integrity && { hashes: hashes(locked.integrity) }),
    licenses: [{ license: { id: one.license, acknowledgement: "declared" } }],
    purl: purl(one),
  };
}

/** Converts Subresource Integrity (base64) to hashes of CycloneDX (hexadecimal). */
function hashes(integrity: string) {
  return integrity.split(" ").map((one) => {
    const [algorithm = "", digest = ""] = one.split(/-(.*)/s);
    return { alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(digest, "base64").toString("hex") };
  });
}

/** Package URL (purl-spec) of the type npm. */
function purl({ name, version }: Package): string {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}
