/** Messages about a resource, which the engine shows to the user. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  /** Progress, which the engine shows only during the operation. */
  status(message: string): void;
}

/** One operation of the engine on one resource. */
export interface Operation {
  readonly log: Log;
  /** Aborts when the user cancels or the engine is gone. */
  readonly signal: AbortSignal;
  /** Whether the engine is gone. Then the result is not recorded, and the next run must be able to resume the operation. */
  readonly engineGone: () => boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The user's timeout of the operation (customTimeouts), in milliseconds. Undefined if unset. */
  readonly timeoutMs?: number;
}
