/** Writes to the user's terminal, beside the resource that it is about. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  /** Progress: shown while it lasts, and gone after. */
  status(message: string): void;
}

/** One operation of the engine on one resource. */
export interface Operation {
  readonly log: Log;
  /** Aborts when the user cancels or the engine is gone. */
  readonly signal: AbortSignal;
  /** Whether the engine is gone: then the operation's result is not recorded, and what it keeps is found by the next run. */
  readonly engineGone: () => boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The user's own limit for the operation (customTimeouts), in milliseconds; undefined without one. */
  readonly timeoutMs?: number;
}
