/**
 * Flags of Node.js for the service, without the `--allow-fs-read=FOLDER/` of what it reads: the bundle, its configuration, keys,
 * certificates and tokens. The limits keep it within 192 MiB, whatever it is sent.
 */
export const nodeFlags: readonly string[] = ["--permission", "--max-old-space-size=112", "--max-semi-space-size=8"];
