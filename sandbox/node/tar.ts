import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

/** Writes a tar file (POSIX.1-1988 ustar with the long names of POSIX.1-2001) piece by piece; every entry belongs to root. */
export class TarWriter {
  readonly #file: number;
  readonly #onData: (data: Buffer) => void;
  #size = 0;
  #isClosed = false;

  /** @param onData called with all written bytes, in order */
  constructor(path: string, onData: (data: Buffer) => void = () => {}) {
    this.#file = openSync(path, "wx", 0o600);
    this.#onData = onData;
  }

  folder(path: string, mode = 0o755): void {
    this.#header({ path: `${path}/`, mode, size: 0, type: "5" });
  }

  link(path: string, target: string): void {
    this.#header({ path, mode: 0o777, size: 0, type: "2", target });
  }

  text(path: string, content: string | Buffer, mode = 0o644): void {
    const data = Buffer.from(content);
    this.#header({ path, mode, size: data.length, type: "0" });
    this.#write(data);
    this.#pad();
  }

  /** Copies a file of this machine in pieces. */
  copy(path: string, source: string, mode = 0o644): void {
    const file = openSync(source, "r");
    try {
      const { size } = fstatSync(file);
      this.#header({ path, mode, size, type: "0" });
      const piece = Buffer.alloc(1 << 20);
      for (let left = size; left > 0; ) {
        const read = readSync(file, piece, 0, Math.min(piece.length, left), null);
        if (read === 0) throw new Error(`${source} became shorter while it was read`);
        this.#write(piece.subarray(0, read));
        left -= read;
      }
      this.#pad();
    } finally {
      closeSync(file);
    }
  }

  /** Completes the archive and returns its size in bytes. */
  close(): number {
    this.#write(Buffer.alloc(1024));
    this.#closeFile();
    return this.#size;
  }

  /** Closes the file without completing the archive. Does nothing after `close`. */
  abandon(): void {
    this.#closeFile();
  }

  /** Closes the file once: afterwards its descriptor may belong to another file. */
  #closeFile(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  #header(entry: { path: string; mode: number; size: number; type: string; target?: string }): void {
    const path = entry.path.replace(/^\/+/, "");
    if (Buffer.byteLength(path) > 100) {
      const record = paxRecord("path", path);
      this.#write(block({ ...entry, path: "pax", type: "x", size: record.length }));
      this.#write(record);
      this.#pad();
    }
    this.#write(block({ ...entry, path: Buffer.from(path).subarray(0, 100).toString("latin1") }));
  }

  #write(data: Buffer): void {
    for (let done = 0; done < data.length; ) done += writeSync(this.#file, data, done);
    this.#onData(data);
    this.#size += data.length;
  }

  #pad(): void {
    const rest = this.#size % 512;
    if (rest > 0) this.#write(Buffer.alloc(512 - rest));
  }
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return Buffer.from(`${length}${rest}`);
}

function block(entry: { path: string; mode: number; size: number; type: string; target?: string }): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(entry.path, 0, 100, "latin1");
  octal(entry.mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(entry.size, 124, 12);
  octal(0, 136, 12); // mtime: 0, so that equal content gives equal bytes
  header.write("        ", 148, "latin1"); // The checksum field counts as blanks.
  header.write(entry.type, 156, "latin1");
  if (entry.target !== undefined) header.write(entry.target, 157, 100, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}
