import type { Changes } from "./events.ts";
import { limiter } from "./limit.ts";
import { idleHandler } from "./monitor.ts";
import { removeAll } from "./removal.ts";
import { openSession, type StackOptions } from "./session.ts";
import { settleCreations } from "./settle.ts";

export interface DestroyOptions extends StackOptions {
  /** Shows what would be deleted and deletes nothing. */
  readonly preview: boolean;
}

/** Deletes everything that the stack made, dependents first. The stack and its settings stay, empty. */
export async function destroy(options: DestroyOptions): Promise<{ changes: Changes }> {
  options.signal?.throwIfAborted();
  const session = await openSession({ ...options, handler: idleHandler });
  const cancel = () => void session.providers.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  if (options.signal?.aborted) cancel();
  try {
    const { providers, parallel } = session;
    const snapshot = await session.snapshot;
    const changes: Changes = {};
    if (!options.preview) await settleCreations(snapshot, providers);
    await removeAll({
      resources: [...snapshot.remaining],
      snapshot,
      providers,
      emit: session.emit,
      limit: limiter(parallel),
      preview: options.preview,
      changes,
      ...(options.signal && { signal: options.signal }),
    });
    if (!options.preview) await snapshot.save();
    return { changes };
  } catch (error) {
    throw session.mask.error(error);
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    await session.close();
  }
}
