/**
 * Flags of Node.js for the service, without the `--allow-fs-read=FOLDER/` of what it reads: the bundle, its configuration, keys,
 * certificates and tokens. Heap and connections (http/capacity.ts) together stay within the container's 192 MiB, whatever it is sent.
 */
export const nodeFlags: readonly string[] = ["--permission", "--max-old-space-size=100", "--max-semi-space-size=8"];
