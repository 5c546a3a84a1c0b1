/** Input and output of a command. They are injected, so commands can be tested in process. */
export interface Io {
  /** Writes results to standard output. Adds no newline. */
  out(text: string): void;
  /** Writes progress, warnings and errors to standard error. Adds no newline. */
  err(text: string): void;
  /** Whether commands may show live progress: `err` is a terminal, and NO_COLOR is not set. */
  readonly tty: boolean;
  /** Absent if `out` is not a terminal. */
  readonly terminal?: Terminal;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts on Ctrl-C or SIGTERM; the `cause` of its reason is the name of the signal. */
  readonly signal: AbortSignal;
}

/** Properties of a terminal that the output adapts to. */
export interface Terminal {
  readonly columns: number;
  /** False with NO_COLOR and on terminals without colours. */
  readonly colors: boolean;
}

/** One `k8sauth` command. */
export interface Command {
  /** Full help text with usage, options, examples and exit statuses. */
  readonly help: string;
  /** Whether `k8sauth NAME --help` prints `help`. False for a command that passes its arguments to another program. @default true */
  readonly ownHelp?: boolean;
  /** Runs with the arguments after the command's name; returns the exit status. */
  run(args: readonly string[], io: Io): Promise<number>;
}
