/** Runs what it is given, at most so many at once. */
export type Limit = <T>(run: () => Promise<T>) => Promise<T>;

/** A limit with so many places; who finds none free waits for their turn. */
export function limiter(places: number): Limit {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
