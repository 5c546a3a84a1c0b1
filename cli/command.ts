/** Input and output of a command. They are injected, so commands can be tested in process. */
export interface Io {
  /** Writes text as it is (no newline is added) to standard output: results, what a machine reads. */
  out(text: string): void;
  /** Writes text as it is to standard error: progress, warnings, errors. */
  err(text: string): void;
  /** True where `err` is a terminal and NO_COLOR is not set: live progress only then. */
  readonly tty: boolean;
  /** Set where `out` is a terminal. */
  readonly terminal?: Terminal;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts on Ctrl-C or SIGTERM; the `cause` of its reason is the name of the signal. */
  readonly signal: AbortSignal;
}

/** A terminal that shows text. */
export interface Terminal {
  readonly columns: number;
  /** False with NO_COLOR and on terminals without colours. */
  readonly colors: boolean;
}

/** One `k8sauth` command. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Full help text with usage, options, examples and exit codes. */
  readonly help: string;
  /** False for a command that passes `--help` on among its arguments; `k8sauth help NAME` prints its help. @default true */
  readonly ownHelp?: boolean;
  /** Runs with the arguments after the command's name; returns the exit code. */
  run(args: readonly string[], io: Io): Promise<number>;
}
