import { connect, type Socket } from "node:net";

/** Sends bytes unchanged. Returns all that comes back until the server closes the connection, or until `enough`. */
export function raw(port: number, bytes: string, enough: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
      if (enough(text)) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? undefined : reject(error)));
    socket.on("close", () => resolve(text));
  });
}

export const statusLine = (text: string) => text.split("\r\n")[0];
