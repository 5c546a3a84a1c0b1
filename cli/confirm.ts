import { createInterface } from "node:readline/promises";
import type { Io } from "./command.ts";
import { UsageError } from "./usage.ts";

/** Asks for the name of what is about to go. Throws a usage error where there is no terminal to ask on. */
export async function confirm(question: string, name: string, io: Io): Promise<boolean> {
  if (!io.tty || !process.stdin.isTTY) throw new UsageError("there is no terminal to ask on; confirm with --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} Type its name: `);
  terminal.close();
  if (answer.trim() === name) return true;
  io.err("Nothing was deleted.\n");
  return false;
}
