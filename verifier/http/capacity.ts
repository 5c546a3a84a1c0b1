/** How many connections the memory holds. Pure. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** What a process may use. */
export interface MemoryLimits {
  /** Of the container, in bytes. */
  readonly memoryBytes: number;
  /** Of V8's heap with its young generation, in bytes (`heap_size_limit`). */
  readonly heapBytes: number;
}

/** Within the heap: the young generation (24 MiB), accepted tokens (52 MiB), and the program. */
const reservedHeapBytes = 86 * MiB;
/** Beside the heap, which can be full at any time: the program's native memory and code pages, and fragmentation. */
const reservedNativeBytes = 40 * MiB;

/**
 * The most that a connection without a token was measured to take, with headers of the greatest number or size that do not end: in the
 * heap, and beside it with the kernel's part.
 */
const costs = {
  plain: { heapBytes: 19 * KiB, nativeBytes: 24 * KiB },
  tls: { heapBytes: 23 * KiB, nativeBytes: 78 * KiB },
};

/** However little memory there is, a gateway has to come through. */
const fewest = 64;

/** The most connections that fit, whatever comes on them. */
export function connectionCapacity({ memoryBytes, heapBytes }: MemoryLimits, isTls: boolean): number {
  const cost = costs[isTls ? "tls" : "plain"];
  const inHeap = (heapBytes - reservedHeapBytes) / cost.heapBytes;
  const besideHeap = (memoryBytes - heapBytes - reservedNativeBytes) / cost.nativeBytes;
  return Math.max(fewest, Math.floor(Math.min(inHeap, besideHeap)));
}

export interface ConnectionLimits {
  /** Open connections in all. */
  readonly max: number;
  /** Open connections of one address. */
  readonly maxPerAddress: number;
  /** Whether an address that is at a limit gives up its oldest idle connection for its next. @default false: the next one is refused */
  readonly isOldestDisplaced?: boolean;
}

/** The limits in force. Those that were set are lowered to what fits. */
export function connectionLimits(
  set: { readonly maxConnections: number | undefined; readonly maxConnectionsPerAddress: number | undefined },
  capacity: number,
): ConnectionLimits {
  const max = Math.min(set.maxConnections ?? capacity, capacity);
  // Half of them: a gateway may be the only client, and a single address must not be able to take all.
  return { max, maxPerAddress: Math.min(set.maxConnectionsPerAddress ?? Math.ceil(max / 2), max) };
}
