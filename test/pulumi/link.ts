import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** A way to the API server that can be cut: forwards, refuses, or takes connections and says nothing. */
export class Link implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  #silent = false;

  private constructor(server: Server, port: number, target: URL) {
    this.#server = server;
    this.#port = port;
    server.on("connection", (socket) => {
      this.#keep(socket);
      if (this.#silent) return;
      const onward = connect(Number(target.port), target.hostname);
      this.#keep(onward);
      socket.pipe(onward).pipe(socket);
    });
  }

  /** A link to the server of a kubeconfig, and in `folder` a kubeconfig that goes through it. */
  static async open(kubeconfig: string, folder: string): Promise<{ link: Link; kubeconfig: string }> {
    const text = await readFile(kubeconfig, "utf8");
    const target = /server: (\S+)/.exec(text)?.[1] as string;
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const file = join(folder, "kubeconfig");
    await writeFile(file, text.replace(target, `https://127.0.0.1:${port}`), { mode: 0o600 });
    return { link: new Link(server, port, new URL(target)), kubeconfig: file };
  }

  /** Cuts the link. `refused`: nothing listens any more; `silent`: connections are taken and never answered. */
  async cut(how: "refused" | "silent"): Promise<void> {
    this.#silent = true;
    for (const socket of this.#sockets) socket.destroy();
    if (how === "refused" && this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async mend(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#silent = false;
    if (this.#server.listening) return;
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut("refused");
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
