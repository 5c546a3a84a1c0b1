import type { EngineEvent, EventSink } from "./events.ts";

/** What stands in the place of a secret in text; the Pulumi CLI's own word. */
const marker = "[secret]";

/** Shorter secrets, and these words, are left: hiding them would tear up every text, and tell more than it hides. */
const shortest = 3;
const words = /^(true|false)$/i;

/** Single lines of a secret of several lines are hidden from this length on: keys and tokens are, `apiVersion: v1` is not. */
const shortestLine = 24;

/**
 * Hides the secrets among a stack's settings in everything that a run says, as the Pulumi CLI does: a program or a plugin
 * that prints one shows `[secret]`.
 */
export class Mask {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;

  /** Hides these texts from now on. */
  hide(secrets: readonly string[]): void {
    for (const form of secrets.flatMap(forms)) this.#secrets.add(form);
    if (this.#secrets.size === 0) return;
    // The longest first: one secret may be a part of another.
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(longestFirst.map(RegExp.escape).join("|"), "g");
  }

  text(text: string): string {
    return this.#pattern ? text.replace(this.#pattern, marker) : text;
  }

  /** The sink, behind which nothing shows that is hidden. */
  before(emit: EventSink): EventSink {
    return (event) => emit(this.#event(event));
  }

  /** Hides in an error what it says of itself; answers it. */
  error<T>(error: T): T {
    if (!(error instanceof Error)) return error;
    error.message = this.text(error.message);
    if (error.stack) error.stack = this.text(error.stack);
    return error;
  }

  #event(event: EngineEvent): EngineEvent {
    if (event.kind !== "diagnostic") return event;
    const { message, violation } = event;
    return {
      ...event,
      message: this.text(message),
      ...(violation && { violation: { ...violation, message: this.text(violation.message) } }),
    };
  }
}

/** The ways in which a secret shows: as it is, inside a JSON text, and line by line, which is how output is read. */
function forms(secret: string): string[] {
  if (secret.length < shortest || words.test(secret)) return [];
  const lines = secret.split("\n").map((line) => line.trim());
  const long = lines.length > 1 ? lines.filter((line) => line.length >= shortestLine) : [];
  return [secret, JSON.stringify(secret).slice(1, -1), ...long];
}
