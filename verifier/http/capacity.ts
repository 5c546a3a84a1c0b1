/** Computes how many connections the memory holds. Pure. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Memory limits of the process. */
export interface MemoryLimits {
  /** Of the container, in bytes. */
  readonly memoryBytes: number;
  /** Of V8's heap with its young generation, in bytes (`heap_size_limit`). */
  readonly heapBytes: number;
}

/** Heap for the young generation (24 MiB), the caches (52 MiB) and the program. */
const reservedHeapBytes = 86 * MiB;
/** Memory outside of the heap for code, native memory and fragmentation. */
const reservedNativeBytes = 40 * MiB;

/**
 * Largest measured memory of a connection without a token, in the heap and outside of it. The second includes the kernel's buffers. The client
 * sends as many or as long headers as the server accepts, and does not end them.
 */
const costs = {
  plain: { heapBytes: 19 * KiB, nativeBytes: 24 * KiB },
  tls: { heapBytes: 23 * KiB, nativeBytes: 78 * KiB },
};

/** Least number of connections, so that a gateway can connect if there is little memory. */
const minConnections = 64;

/** Number of connections that fit, whatever clients send. */
export function connectionCapacity({ memoryBytes, heapBytes }: MemoryLimits, isTls: boolean): number {
  const cost = costs[isTls ? "tls" : "plain"];
  const inHeap = (heapBytes - reservedHeapBytes) / cost.heapBytes;
  const outsideHeap = (memoryBytes - heapBytes - reservedNativeBytes) / cost.nativeBytes;
  return Math.max(minConnections, Math.floor(Math.min(inHeap, outsideHeap)));
}

export interface ConnectionLimits {
  /** Limit of all open connections. */
  readonly max: number;
  /** Limit for each client address. */
  readonly maxPerAddress: number;
  /**
   * If true, a new connection of an address at its limit displaces the oldest idle one of that address. If false, it is refused.
   * @default false
   */
  readonly isOldestDisplaced?: boolean;
}

/** The limits of the settings, lowered to the capacity. */
export function connectionLimits(
  set: { readonly maxConnections: number | undefined; readonly maxConnectionsPerAddress: number | undefined },
  capacity: number,
): ConnectionLimits {
  const max = Math.min(set.maxConnections ?? capacity, capacity);
  // Half: a gateway can be the only client, but a single address must not use all connections.
  return { max, maxPerAddress: Math.min(set.maxConnectionsPerAddress ?? Math.ceil(max / 2), max) };
}
