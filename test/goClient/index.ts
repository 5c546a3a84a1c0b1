/** Behaviour of a client written in Go: its choice of a proxy, and whether it accepts a server's certificate. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { ensureProgram, type GoProgram } from "../../sandbox/build/build.ts";

const program: GoProgram = {
  name: "go-client",
  title: "a client in Go",
  source: fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, ""),
};

export interface ProxyQuestion {
  readonly server: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

export interface HandshakeQuestion {
  /** `host:port`. */
  readonly address: string;
  /** The name that the certificate must carry. */
  readonly name: string;
  /** PEM. */
  readonly ca: string;
}

interface Questions {
  readonly proxies?: readonly ProxyQuestion[];
  readonly handshakes?: readonly HandshakeQuestion[];
}

export interface Answers {
  /** `scheme://host`, or "" for a direct connection. */
  readonly proxies: readonly string[];
  /** The error, or "" for a handshake that succeeded. */
  readonly handshakes: readonly string[];
}

/** Builds the program on first use. */
export async function askGo(questions: Questions): Promise<Answers> {
  const child = spawn(await ensureProgram(program), { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(questions));
  const [printed] = await Promise.all([text(child.stdout), once(child, "close")]);
  const { Proxies: proxies, Handshakes: handshakes } = JSON.parse(printed) as {
    readonly Proxies: Answers["proxies"];
    readonly Handshakes: Answers["handshakes"];
  };
  return { proxies, handshakes };
}
