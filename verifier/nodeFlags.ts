/**
 * Flags of Node.js for the service, without `--allow-fs-read=FOLDER/` for the bundle, the configuration, keys, certificates and tokens.
 * Heap and connections (http/capacity.ts) together stay within the container's 192 MiB, whatever requests arrive.
 */
export const nodeFlags: readonly string[] = ["--permission", "--max-old-space-size=100", "--max-semi-space-size=8"];
