/** package.json of the npm package. */
import manifest from "../package.json" with { type: "json" };

/** Modules that users import: file name, and subpath in `exports`. */
export const entries = { index: ".", gateways: "./gateways", policy: "./policy" } as const;

/**
 * SDKs that the user's project must have. A second copy in the package could need a second version of the SDK's plugin. The lowest versions
 * are the oldest ones that the tests of the package install.
 */
export const peers = {
  "@pulumi/kubernetes": "^4.17.1",
  "@pulumi/policy": "^1.21.0",
  "@pulumi/pulumi": "^3.142.0",
  "@pulumi/tls": "^5.0.1",
};

/** The content of package.json. @param name name of the package. Without one it is marked as private */
export function libraryManifest(name?: string): object {
  const { version, description, license, engines } = manifest;
  const exported = Object.entries(entries).map(([file, path]) => [
    path,
    { types: `./${file}.d.ts`, default: `./${file}.js` },
  ]);
  return {
    name: name ?? manifest.name,
    version,
    ...(name === undefined && { private: true }),
    description,
    license,
    engines,
    type: "commonjs",
    main: "./index.js",
    types: "./index.d.ts",
    exports: { ...Object.fromEntries(exported), "./package.json": "./package.json" },
    peerDependencies: peers,
    // Only the policies need it.
    peerDependenciesMeta: { "@pulumi/policy": { optional: true } },
  };
}
