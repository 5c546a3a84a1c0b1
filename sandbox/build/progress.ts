/** Phases of a start, in order. Phases without work are skipped. */
export type Phase = "wait" | "download" | "inspect" | "compile" | "link" | "certificates" | "images" | "start";

/** A report of progress, sent for every change and at least once a second. */
export interface Progress {
  readonly phase: Phase;
  /** Title of the program that is built. @default "Kubernetes" */
  readonly subject?: string;
  /** Finished steps of `total`: modules, packages or servers. `total` is 0 if they are not counted. */
  readonly done: number;
  readonly total: number;
  /** Time since the phase started, in milliseconds. */
  readonly elapsedMs: number;
}

/** Creates reports from counts, and repeats the last one each second, so that a long step does not look like a hang. */
export class ProgressMeter {
  readonly #report: (progress: Progress) => void;
  readonly #subject: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #phase: Phase = "wait";
  #done = 0;
  #total = 0;
  #since = 0;

  constructor(report: ((progress: Progress) => void) | undefined, subject?: string) {
    this.#report = report ?? (() => {});
    this.#subject = subject;
  }

  begin(phase: Phase, total = 0): void {
    this.#phase = phase;
    this.#done = 0;
    this.#total = total;
    this.#since = Date.now();
    this.#timer ??= setInterval(() => this.#emit(), 1000).unref();
    this.#emit();
  }

  /** Counts a step, up to the total. */
  step(): void {
    if (this.#done < this.#total) this.#done++;
    this.#emit();
  }

  /** Stops the repetition. Call it after errors too. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #emit(): void {
    this.#report({
      phase: this.#phase,
      ...(this.#subject !== undefined && { subject: this.#subject }),
      done: this.#done,
      total: this.#total,
      elapsedMs: Date.now() - this.#since,
    });
  }
}

const titles: Record<Phase, { title: string; unit: string }> = {
  wait: { title: "Waiting for another build", unit: "" },
  download: { title: "Downloading Go modules", unit: "modules" },
  inspect: { title: "Counting the packages to build", unit: "" },
  compile: { title: "Building SUBJECT (once)", unit: "packages" },
  link: { title: "Linking", unit: "" },
  certificates: { title: "Creating certificates", unit: "" },
  images: { title: "Creating the node's images (once)", unit: "images" },
  start: { title: "Starting the sandbox", unit: "parts" },
};

/** One line of text for a report, for example `Building Kubernetes (once): 31 %, 88 s, 812 of 2640 packages`. */
export function describeProgress({ phase, subject = "Kubernetes", done, total, elapsedMs }: Progress): string {
  const { title, unit } = titles[phase];
  const parts = [
    ...(total > 0 ? [`${Math.floor((100 * done) / total)} %`] : []),
    ...(elapsedMs >= 1000 ? [`${Math.round(elapsedMs / 1000)} s`] : []),
    ...(total > 0 ? [`${done} of ${total} ${unit}`] : []),
  ];
  return [title.replace("SUBJECT", subject), ...(parts.length > 0 ? [parts.join(", ")] : [])].join(": ");
}

export interface ProgressPrinter {
  readonly onProgress: (progress: Progress) => void;
  /** Removes the progress bar. Call it before anything else is printed. */
  finish(): void;
}

/** Shortest time between two plain lines of a phase, in milliseconds. */
const plainIntervalMs = 3500;

export interface ProgressPrinterOptions {
  /** Text before each line, for example the number of a step. */
  readonly prefix?: string;
  /** Width of the terminal. @default 80 */
  readonly columns?: number | undefined;
  /** The current time in milliseconds. */
  readonly now?: () => number;
}

/**
 * Shows progress: a bar on a terminal, otherwise a plain line for each phase and about every four seconds. A phase of less than a second is not
 * shown, unless it belongs to a build.
 */
export function progressPrinter(
  write: (text: string) => void,
  tty: boolean,
  { prefix = "", columns = 80, now = Date.now }: ProgressPrinterOptions = {},
): ProgressPrinter {
  let lastPhase: Phase | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const slow = new Set<Phase>(["download", "compile", "link", "wait"]);
  return {
    onProgress(progress) {
      const at = now();
      const sameAndSoon = progress.phase === lastPhase && at - lastAt < (tty ? 80 : plainIntervalMs);
      if (sameAndSoon && !(tty && progress.done === progress.total)) return;
      if (progress.phase !== lastPhase && progress.elapsedMs < 1000 && !slow.has(progress.phase)) return;
      lastPhase = progress.phase;
      lastAt = at;
      const text = describeProgress(progress);
      if (!tty) return write(`${prefix}${text}\n`);
      drawn = true;
      // A line that fills the terminal would wrap, and could not be cleared as one line.
      write(`\r\u001b[K${`${prefix}${bar(progress)}${text}`.slice(0, columns - 1)}`);
    },
    finish() {
      if (drawn) write("\r\u001b[K");
      drawn = false;
    },
  };
}

function bar({ done, total }: Progress): string {
  if (total === 0) return "";
  const width = 12;
  const filled = Math.floor((width * done) / total);
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}] `;
}
