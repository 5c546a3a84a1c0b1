/** Shows a fleet's run: a live table on a terminal, a line for each stack that ends elsewhere. */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Cluster } from "./list.ts";
import type { FleetEvents, RunOptions, StackResult, Status } from "./run.ts";
import { changesInWords, duration, statusWords } from "./words.ts";

export interface Terminal {
  write(text: string): void;
  /** False: plain lines without colour. */
  readonly live: boolean;
  readonly columns: number;
  readonly rows: number;
}

type Style = Parameters<typeof styleText>[0];
const styles: Readonly<Record<Status, Style>> = {
  succeeded: "green",
  failed: "red",
  timedOut: "red",
  interrupted: "yellow",
  notStarted: "dim",
};

interface Row {
  readonly cluster: Cluster;
  since?: number;
  doing: string;
  result?: StackResult;
}

export class Progress {
  readonly #terminal: Terminal;
  readonly #operation: RunOptions["operation"];
  readonly #now: () => number;
  readonly #rows: Map<string, Row>;
  readonly #nameWidth: number;
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    clusters: readonly Cluster[],
    operation: RunOptions["operation"],
    terminal: Terminal,
    now = () => performance.now(),
  ) {
    this.#terminal = terminal;
    this.#operation = operation;
    this.#now = now;
    this.#rows = new Map(clusters.map((cluster) => [cluster.name, { cluster, doing: "" }]));
    this.#nameWidth = Math.max(...clusters.map(({ name }) => name.length));
    if (terminal.live) this.#timer = setInterval(() => this.draw(), 250).unref();
  }

  readonly events: FleetEvents = {
    started: ({ name }) => {
      const row = this.#rows.get(name);
      if (row) row.since = this.#now();
      this.draw();
    },
    progress: ({ name }, text) => {
      const row = this.#rows.get(name);
      if (row) row.doing = text;
    },
    log: () => {},
    ended: (result) => {
      const row = this.#rows.get(result.cluster.name);
      if (row) row.result = result;
      if (this.#terminal.live) this.draw();
      else this.#terminal.write(`${this.#line(row as Row)}\n`);
    },
  };

  /** Takes the table away; on a terminal every stack's line is left in its place. */
  close(): void {
    clearInterval(this.#timer);
    if (!this.#terminal.live) return;
    this.#erase();
    for (const row of this.#rows.values()) this.#terminal.write(`${this.#cut(this.#line(row))}\n`);
  }

  /** Draws the table anew over itself, as much of it as the terminal has rows for: what is under way, then what failed. */
  draw(): void {
    if (!this.#terminal.live) return;
    const rows = [...this.#rows.values()];
    const room = Math.max(1, this.#terminal.rows - 3);
    const order = (row: Row) =>
      row.result ? (row.result.status === "succeeded" ? 3 : 1) : row.since === undefined ? 2 : 0;
    const shown = rows.length <= room ? rows : [...rows].sort((a, b) => order(a) - order(b)).slice(0, room);
    const lines = shown.map((row) => this.#cut(this.#line(row)));
    this.#erase();
    this.#terminal.write(`${[...lines, this.#cut(this.#totals(rows))].join("\n")}\n`);
    this.#drawn = lines.length + 1;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#terminal.write(`\u001b[${this.#drawn}A\u001b[0J`);
    this.#drawn = 0;
  }

  #line({ cluster, since, doing, result }: Row): string {
    const name = cluster.name.padEnd(this.#nameWidth);
    if (!result) {
      if (since === undefined) return this.#paint(`  ${name}  waiting`, "dim");
      return `${this.#paint(">", "cyan")} ${name}  ${duration((this.#now() - since) / 1000)}  ${this.#paint(doing, "dim")}`;
    }
    const { status, seconds, changes, error } = result;
    const sign = status === "succeeded" ? "+" : status === "notStarted" ? " " : "!";
    const what = this.#paint(`${sign} ${name}  ${statusWords[status]}`, styles[status]);
    if (status === "notStarted") return what;
    if (error) return `${what} after ${duration(seconds)}: ${error.message.split("\n")[0]}`;
    const changed =
      this.#operation === "report" ? "" : ` in ${duration(seconds)}: ${changesInWords(changes, this.#operation)}`;
    return `${what}${changed}`;
  }

  #totals(rows: readonly Row[]): string {
    const count = (test: (row: Row) => boolean) => rows.filter(test).length;
    const failed = count(({ result }) => result !== undefined && result.status !== "succeeded");
    const parts = [
      `${count(({ result }) => result?.status === "succeeded")} of ${rows.length} succeeded`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      `${count(({ since, result }) => since !== undefined && !result)} under way`,
    ];
    return this.#paint(parts.join(", "), "bold");
  }

  /** A longer line would wrap, and the table could not be drawn over itself. */
  #cut(line: string): string {
    const { columns } = this.#terminal;
    const plain = stripVTControlCharacters(line);
    return plain.length < columns ? line : `${plain.slice(0, columns - 2)}…`;
  }

  #paint(text: string, style: Style): string {
    return this.#terminal.live ? styleText(style, text, { validateStream: false }) : text;
  }
}
