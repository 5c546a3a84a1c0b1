/**
 * Flags of Node.js for the service. The caller adds `--allow-fs-read=FOLDER/` for the bundle, the configuration, keys, certificates and tokens.
 * With these heap limits, heap and connections (http/capacity.ts) stay within 192 MiB, the container's default limit, whatever requests
 * arrive.
 */
export const nodeFlags: readonly string[] = ["--permission", "--max-old-space-size=100", "--max-semi-space-size=8"];
