/** Creates the service from a configuration: issuers, caches, two servers and the background tasks. */
import type { IncomingMessage } from "node:http";
import type { Server as TlsServer } from "node:https";
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { Decider, type Refused } from "./decider.ts";
import { refusals } from "./errors.ts";
import { adminServer } from "./http/adminServer.ts";
import type { AcceptedAnswer } from "./http/answers.ts";
import { connectionCapacity, connectionLimits, type MemoryLimits } from "./http/capacity.ts";
import { Connections } from "./http/connections.ts";
import { decisionServer, isRequestId } from "./http/decisionServer.ts";
import { close, listen } from "./http/listening.ts";
import { readTls, type TlsMaterial } from "./http/tlsFiles.ts";
import { createLog, errorFields, LineLimit, type Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { withoutUserinfo } from "./redact.ts";
import { callerRequestOf } from "./rules/routes.ts";
import { claimedOrigin } from "./token/decode.ts";
import { Issuers } from "./token/issuers.ts";

export interface ServiceOptions {
  /** @default the system's clocks */
  readonly clock?: Clock;
  /** @default JSON lines on standard output */
  readonly log?: Log;
  /** @default the container's memory limit and the process's heap limit */
  readonly memory?: MemoryLimits;
}

/** A running verifier. */
export interface Service {
  /** Port for callers and gateways. */
  readonly port: number;
  /** Port of `/livez`, `/readyz` and `/metrics`. */
  readonly adminPort: number;
  /** Why it is not ready; empty if it is ready. */
  unreadyReasons(): readonly string[];
  /**
   * Becomes unready, continues to answer for the drain time, and then closes the servers. Requests in progress have 10 s to finish.
   * `drainSeconds` is by default the setting.
   */
  stop(options?: { readonly drainSeconds?: number }): Promise<void>;
}

/** Time between two reads of the serving certificate. */
const tlsIntervalMs = 10_000;
/** Time for requests in progress when the service stops. */
const closeLimitMs = 10_000;
const sweepIntervalMs = 1_000;
/** Log lines about refusals per second, so that a flood of requests does not fill the disk. */
const refusalLinesPerSecond = 50;

/**
 * Starts a verifier. It listens at once. It is ready when each issuer was tried, and the tokens of at least one can be verified.
 *
 * @throws VerifierError LISTEN_FAILED; FILE_UNREADABLE, TLS_INVALID, CA_INVALID for TLS files; FILE_UNREADABLE, KEYS_… for key files
 */
export async function startService(config: Config, options: ServiceOptions = {}): Promise<Service> {
  const { clock = systemClock, log = createLog(config.logLevel) } = options;
  const stopped = new AbortController();
  let draining = false;
  let tls: TlsMaterial | undefined = config.tls && (await readTls(config.tls));

  const issuers = await Issuers.create(config, {
    clock,
    log,
    signal: stopped.signal,
    onReview: (outcome, ms) => metrics.reviewed(outcome, ms),
    onKeysLoaded: (issuer, isOk) => metrics.keysRefreshed(issuer, isOk),
  });
  const decider = new Decider({
    issuers,
    clock,
    settings: config,
    onError: (error) => log.error(errorFields(error), "a token could not be verified"),
    onVerified: (ms) => metrics.verified(ms),
  });
  const connections = guardedConnections(config, options.memory ?? processLimits(), log, clock);
  const unreadyReasons = () => (draining ? ["The verifier is stopping."] : issuers.unreadyReasons);
  const metrics: Metrics = new Metrics({
    cached: () => decider.cached,
    cacheCounts: () => decider.counts,
    pending: () => decider.pending,
    reviewsInFlight: () => issuers.list.reduce((sum, { reviewsInFlight }) => sum + reviewsInFlight, 0),
    keys: () =>
      issuers.list.flatMap(({ name, keys }) =>
        keys ? [{ issuer: name, count: keys.keyCount, loadedAtMs: keys.loadedAt }] : [],
      ),
    issuers: () =>
      issuers.list.map(({ name, unreadyReason }) => ({ issuer: name, ready: unreadyReason === undefined })),
    certificateNotAfterMs: () => tls?.notAfterMs,
    ready: () => unreadyReasons().length === 0,
    connections: () => ({ open: connections.size, limit: connections.limits.max, ...connections.counts }),
  });

  const server = decisionServer({
    decider,
    realm: config.realm,
    keepAliveSeconds: config.keepAliveSeconds,
    connections,
    tls: tls?.options,
    isDraining: () => draining,
    pathFrom: config.pathFrom,
    unchecked: config.unchecked,
    onAccepted: acceptedLog(config, log, metrics),
    onUnchecked: () => metrics.unchecked(),
    onRefused: refusalLog(config, log, metrics, clock),
  });
  const admin = adminServer({ metrics, unreadyReasons, degradedReasons: () => issuers.degradedReasons });
  const release = async () => {
    stopped.abort();
    await issuers.stop();
    metrics.stop();
  };
  let port: number;
  let adminPort: number;
  try {
    adminPort = await listen(admin, config.adminListen);
    port = await listen(server, config.listen);
  } catch (error) {
    await Promise.all([close(admin, 0), release()]);
    throw error;
  }
  issuers.start();
  const reloading = config.tls && reloadTls(server as unknown as TlsServer);
  const sweeping = sweep();
  log.info(
    {
      port,
      adminPort,
      tls: tls !== undefined,
      connections: connections.limits,
      issuers: issuers.list.map(({ name, mode }) => ({ name, mode })),
    },
    "listening",
  );

  /** Replaces the serving certificate when its files change. */
  async function reloadTls(target: TlsServer): Promise<void> {
    while (config.tls) {
      await clock.sleep(tlsIntervalMs, stopped.signal);
      if (stopped.signal.aborted) return;
      try {
        const next = await readTls(config.tls);
        if (next.content === tls?.content) continue;
        target.setSecureContext({ ...next.options, minVersion: "TLSv1.2" });
        tls = next;
        log.info({ notAfter: new Date(next.notAfterMs).toISOString() }, "the serving certificate was replaced");
      } catch (error) {
        log.error(errorFields(error), "the serving certificate cannot be reloaded: the previous one stays in use");
      }
    }
  }

  /** Removes tokens from memory within a second after they expire from the cache. */
  async function sweep(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock.sleep(sweepIntervalMs, stopped.signal);
      decider.sweep();
    }
  }

  let stopping: Promise<void> | undefined;
  async function stopAll(drainSeconds: number): Promise<void> {
    draining = true;
    log.info({ drainSeconds }, "stopping");
    await clock.sleep(drainSeconds * 1000);
    await close(server, closeLimitMs);
    await release();
    await Promise.all([reloading, sweeping]);
    await close(admin, 1_000);
    log.info({}, "stopped");
  }
  return {
    port,
    adminPort,
    unreadyReasons,
    stop: ({ drainSeconds = config.drainSeconds } = {}) => {
      stopping ??= stopAll(drainSeconds);
      return stopping;
    },
  };
}

/** Memory limit of the container or the machine, and heap limit of the process. */
function processLimits(): MemoryLimits {
  const memoryBytes = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return { memoryBytes, heapBytes: getHeapStatistics().heap_size_limit };
}

function guardedConnections(config: Config, memory: MemoryLimits, log: Log, clock: Clock): Connections {
  const capacity = connectionCapacity(memory, config.tls !== undefined);
  const { maxConnections } = config;
  if (maxConnections !== undefined && maxConnections > capacity)
    log.warn(
      { maxConnections, capacity },
      "maxConnections is more than the memory allows: it is lowered to the capacity",
    );
  const limit = new LineLimit(1, clock.monotonic);
  return new Connections(connectionLimits(config, capacity), (reason, peer) => {
    const admitted = limit.admit();
    if (admitted) log.warn({ reason, peer, ...admitted }, "a connection was refused");
  });
}

/** Logs accepted calls for audits. The path is logged without its query, which can contain secrets. */
function acceptedLog({ auditLog, pathFrom }: Config, log: Log, metrics: Metrics) {
  return ({ identity }: AcceptedAnswer, request: IncomingMessage, isVerified: boolean) => {
    metrics.accepted(withoutUserinfo(identity.issuer));
    if (auditLog === "none" || (auditLog === "verified" && !isVerified)) return;
    const { subject, issuer: iss, audience, serviceAccountUid, podName, podUid, tokenId: jti } = identity;
    const id = request.headers["x-request-id"];
    const fields = {
      ...{ subject, iss, audience, serviceAccountUid, podName, podUid, jti },
      ...{ requestId: isRequestId(id) ? id : undefined, peer: request.socket.remoteAddress },
      ...(pathFrom && callerRequestOf(request, pathFrom)),
    };
    log.info(fields, "accepted");
  };
}

function refusalLog({ pathFrom }: Config, log: Log, metrics: Metrics, clock: Clock) {
  const limit = new LineLimit(refusalLinesPerSecond, clock.monotonic);
  return ({ reason, identity, detail }: Refused, requestId: string, request: IncomingMessage, token?: string) => {
    metrics.refused(reason);
    const fields = { reason, status: refusals[reason].status, requestId, peer: request.socket.remoteAddress };
    // Health checks of gateways have no token, and are frequent.
    if (reason === "no_token") return log.debug(fields, "refused");
    const admitted = limit.admit();
    if (!admitted) return;
    const origin = token === undefined ? {} : claimedOrigin(token);
    const callerRequest = pathFrom && callerRequestOf(request, pathFrom);
    log.info({ ...fields, ...admitted, subject: identity?.subject, ...origin, detail, ...callerRequest }, "refused");
  };
}
