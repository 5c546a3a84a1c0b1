/** Servers to compare the verifier with, each as a separate process: `bare`, a server of node:http, and `jose`, verification alone. */
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { jwtVerify } from "jose";

const [kind, keyFile = "", tokenFile = ""] = process.argv.slice(2);

/** Microseconds of CPU, all threads. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

if (kind === "bare") {
  const server = createServer((_, response) => response.end("ok\n"));
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on("message", () => process.send?.({ cpu: cpu() }));
} else {
  const key = createPublicKey(readFileSync(keyFile, "utf8"));
  const tokens = readFileSync(tokenFile, "utf8").trim().split("\n");
  const options = { algorithms: ["RS256"], audience: "verifier.example", issuer: "https://issuer.example" };
  process.send?.({});
  process.on("message", async (count: number) => {
    const before = cpu();
    // As many at a time as there are connections in the other measurements.
    let left = count;
    const worker = async () => {
      while (left-- > 0) await jwtVerify(tokens[left % tokens.length] as string, key, options);
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    process.send?.({ cpu: (cpu() - before) / count });
  });
}
