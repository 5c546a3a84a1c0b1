import { styleText } from "node:util";
import {
  type Changes,
  type Drift,
  type EngineEvent,
  type EventSink,
  nameOf,
  type Operation,
  typeOf,
} from "../engine/index.ts";
import type { Io } from "./command.ts";

type Style = Parameters<typeof styleText>[0];

const words: Readonly<Record<Operation, { sign: string; done: string; planned: string; style: Style }>> = {
  same: { sign: " ", done: "unchanged", planned: "unchanged", style: "dim" },
  create: { sign: "+", done: "created", planned: "create", style: "green" },
  update: { sign: "~", done: "updated", planned: "update", style: "yellow" },
  replace: { sign: "±", done: "replaced", planned: "replace", style: "magenta" },
  "create-replacement": { sign: "+", done: "created", planned: "create", style: "green" },
  delete: { sign: "-", done: "deleted", planned: "delete", style: "red" },
  "delete-replaced": { sign: "-", done: "deleted (replaced)", planned: "delete (replaced)", style: "red" },
  refresh: { sign: " ", done: "read", planned: "read", style: "dim" },
};

/** Shows an operation as it goes: a line for each change, and on a terminal what is under way. */
export class Display {
  readonly emit: EventSink;
  readonly #io: Io;
  readonly #preview: boolean;
  readonly #started = new Map<string, number>();
  #status = "";

  constructor(io: Io, preview: boolean) {
    this.#io = io;
    this.#preview = preview;
    this.emit = (event) => this.#show(event);
  }

  #show(event: EngineEvent): void {
    if (event.kind === "diagnostic") {
      if (event.ephemeral) this.#say(event.message);
      else
        this.#line(
          event.severity === "info"
            ? event.message
            : this.#paint(`${event.severity}: ${event.message}`, event.severity === "error" ? "red" : "yellow"),
        );
      return;
    }
    const { operation, urn, state } = event;
    const { sign, done, planned, style } = words[operation];
    const what = `${shortType(typeOf(urn))} ${nameOf(urn)}`;
    if (event.drift) {
      if (operation === "delete") this.#line(this.#paint(`  ≠ ${what} is gone`, style));
      else if (operation === "update") this.#line(this.#paint(`  ≠ ${what} differs: ${event.diffs.join(", ")}`, style));
      return;
    }
    if (state === "started") {
      this.#started.set(urn, performance.now());
      if (operation !== "same") this.#say(`${planned} ${what} …`);
      return;
    }
    const seconds = (performance.now() - (this.#started.get(urn) ?? performance.now())) / 1000;
    const time = seconds >= 0.1 && !this.#preview ? ` (${seconds.toFixed(1)} s)` : "";
    if (state === "failed") this.#line(this.#paint(`  ! ${planned} ${what} failed${time}`, "red"));
    else if (operation !== "same") {
      const forced = event.replaces.length > 0 ? `: ${event.replaces.join(", ")} can't be changed in place` : "";
      const diffs = !forced && operation === "update" && event.diffs.length > 0 ? `: ${event.diffs.join(", ")}` : "";
      this.#line(this.#paint(`  ${sign} ${what} ${this.#preview ? planned : done}${time}${forced}${diffs}`, style));
    }
  }

  /** Says how it all ended, and takes the last status line away. */
  close(summary: string): void {
    this.#line(summary);
  }

  #line(text: string): void {
    this.#clear();
    this.#io.err(`${text}\n`);
  }

  #say(text: string): void {
    if (!this.#io.tty) return;
    this.#clear();
    this.#status = text.split("\n")[0]?.slice(0, 100) ?? "";
    this.#io.err(this.#paint(this.#status, "dim"));
  }

  #clear(): void {
    if (this.#status) this.#io.err("\r\u001b[2K");
    this.#status = "";
  }

  #paint(text: string, style: Style): string {
    return this.#io.tty ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** `Secret` of `kubernetes:core/v1:Secret`. */
function shortType(type: string): string {
  const last = type.split(":").at(-1) ?? type;
  return type.startsWith("pulumi:providers:") ? `provider ${last}` : last;
}

/** `1 gone, 2 different`. */
export function summarizeDrift(drift: readonly Pick<Drift, "gone">[]): string {
  const gone = drift.filter((found) => found.gone).length;
  const parts = [`${gone} gone`, `${drift.length - gone} different`].filter((part) => !part.startsWith("0 "));
  return parts.join(", ") || "no drift";
}

/** `3 created, 1 updated, 7 unchanged`. */
export function summarize(changes: Changes, preview = false): string {
  const parts = (Object.entries(changes) as [Operation, number][])
    .filter(([operation, count]) => count > 0 && operation !== "same")
    .map(([operation, count]) => `${count} ${preview ? `to ${words[operation].planned}` : words[operation].done}`);
  return [...parts, `${changes.same ?? 0} unchanged`].join(", ");
}
