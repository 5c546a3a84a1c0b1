/** The whole service, put together from a configuration. */
import type { IncomingMessage } from "node:http";
import type { Server as TlsServer } from "node:https";
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { type Clock, systemClock } from "./clock.ts";
import type { Config, Endpoint } from "./config/config.ts";
import { Decider, type Refused } from "./decider.ts";
import { refusals } from "./errors.ts";
import { adminServer } from "./http/adminServer.ts";
import { type AcceptedAnswer, acceptedAnswer, acceptedBytes } from "./http/answers.ts";
import { connectionCapacity, connectionLimits, type MemoryLimits } from "./http/capacity.ts";
import { Connections } from "./http/connections.ts";
import { decisionServer, isRequestId } from "./http/decisionServer.ts";
import { close, listen } from "./http/listening.ts";
import { readTls, type TlsMaterial } from "./http/tlsFiles.ts";
import { createLog, errorFields, LineLimit, type Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { Remote } from "./net/remote.ts";
import { withoutUserinfo } from "./redact.ts";
import { questionOf } from "./rules/routes.ts";
import { claimedOrigin } from "./token/decode.ts";
import { type Issuer, issuersOf } from "./token/issuer.ts";

export interface ServiceOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default JSON lines on standard output */
  readonly log?: Log;
  /** Makes connections to other servers. @default node:https with the endpoint's CA and token */
  readonly connect?: (endpoint: Endpoint) => Remote;
  /** @default the container's memory limit and the process's heap limit */
  readonly memory?: MemoryLimits;
}

/** A verifier that runs. */
export interface Service {
  /** Ports that it listens on. */
  readonly port: number;
  readonly adminPort: number;
  /** Why it is not ready; empty when it is. */
  unreadyReasons(): readonly string[];
  /** Says that it is unready, goes on answering for the drain time, then ends all without losing a request. */
  stop(options?: { readonly drainSeconds?: number }): Promise<void>;
}

const tlsIntervalMs = 10_000;
const closeLimitMs = 10_000;
const sweepIntervalMs = 1_000;
/** Logged refusals per second: a flood of requests must not fill the disk. */
const refusalLinesPerSecond = 50;

/**
 * Starts a verifier: listens at once, and is ready when the keys are there and reviews are known to work.
 *
 * @throws VerifierError LISTEN_FAILED, TLS_INVALID, CA_INVALID, FILE_UNREADABLE, KEYS_… for what cannot get better by waiting
 */
export async function startService(config: Config, options: ServiceOptions = {}): Promise<Service> {
  const { clock = systemClock, log = createLog(config.logLevel) } = options;
  const stopped = new AbortController();
  let draining = false;
  let tls: TlsMaterial | undefined = config.tls && (await readTls(config.tls));

  const issuers: readonly Issuer[] = await issuersOf(config, {
    clock,
    log,
    connect: options.connect,
    signal: stopped.signal,
    metrics: () => metrics,
  });
  const decider: Decider<AcceptedAnswer> = new Decider<AcceptedAnswer>({
    authorities: issuers.map((issuer) => issuer.authority),
    clock,
    cacheEntries: config.cacheEntries,
    refusedCacheEntries: config.refusedCacheEntries,
    refusedCacheSeconds: config.refusedCacheSeconds,
    prepare: acceptedAnswer,
    bytesOf: acceptedBytes,
    onError: (error) => log.error(errorFields(error), "a token could not be verified"),
    onVerified: (ms) => metrics.verified(ms),
  });
  const reasons = () => issuers.map((issuer) => issuer.unreadyReason()).filter((reason) => reason !== undefined);
  const connections = guardedConnections(config, options.memory ?? processLimits(), log, clock);
  const unreadyReasons = () => (draining ? ["The verifier is stopping."] : unready(issuers));
  const metrics: Metrics = new Metrics({
    cached: () => decider.cached,
    cacheCounts: () => decider.counts,
    pending: () => decider.pending,
    reviewsInFlight: () => issuers.reduce((sum, { reviewer }) => sum + (reviewer?.inFlight ?? 0), 0),
    keys: () =>
      issuers.flatMap(({ name, keyring }) =>
        keyring ? [{ issuer: name, count: keyring.keyCount, loadedAtMs: keyring.loadedAt }] : [],
      ),
    issuers: () => issuers.map((issuer) => ({ issuer: issuer.name, ready: issuer.unreadyReason() === undefined })),
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
  const admin = adminServer({ metrics, unreadyReasons, degradedReasons: reasons });
  const release = async () => {
    stopped.abort();
    await Promise.all(issuers.map((issuer) => issuer.stop()));
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
  for (const issuer of issuers) issuer.start();
  const reloading = config.tls && reloadTls(server as unknown as TlsServer);
  const sweeping = sweep();
  log.info(
    {
      port,
      adminPort,
      tls: tls !== undefined,
      connections: connections.limits,
      issuers: issuers.map(({ name, mode }) => ({ name, mode })),
    },
    "listening",
  );

  /** Looks at the files again and again, for as long as the service runs. */
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
        log.error(errorFields(error), "the serving certificate cannot be read again: the last one serves");
      }
    }
  }

  /** A token is not kept in memory for longer than it is accepted. */
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

/** Ready once each issuer is settled and one of them works: a foreign issuer that is down must not keep all others from serving. */
function unready(issuers: readonly Issuer[]): readonly string[] {
  const reasons = issuers.map((issuer) => issuer.unreadyReason());
  const works = reasons.some((reason) => reason === undefined);
  const settled = issuers.every((issuer) => issuer.isSettled());
  return works && settled ? [] : reasons.filter((reason) => reason !== undefined);
}

/** The container's limit, where it has one. */
function processLimits(): MemoryLimits {
  const memoryBytes = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return { memoryBytes, heapBytes: getHeapStatistics().heap_size_limit };
}

function guardedConnections(config: Config, memory: MemoryLimits, log: Log, clock: Clock): Connections {
  const capacity = connectionCapacity(memory, config.tls !== undefined);
  const { maxConnections } = config;
  if (maxConnections !== undefined && maxConnections > capacity)
    log.warn({ maxConnections, capacity }, "maxConnections is more than the memory holds, and is lowered to that");
  const limit = new LineLimit(1, clock.monotonic);
  return new Connections(connectionLimits(config, capacity), (reason, peer) => {
    const admitted = limit.admit();
    if (admitted) log.warn({ reason, peer, ...admitted }, "a connection was refused");
  });
}

/** Accepted calls, for an audit. The path has no query, which may hold secrets. */
function acceptedLog({ auditLog, pathFrom }: Config, log: Log, metrics: Metrics) {
  return ({ identity }: AcceptedAnswer, request: IncomingMessage, isVerified: boolean) => {
    metrics.accepted(withoutUserinfo(identity.issuer));
    if (auditLog === "none" || (auditLog === "verified" && !isVerified)) return;
    const { subject, issuer: iss, audience, serviceAccountUid, podName, podUid, tokenId: jti } = identity;
    const id = request.headers["x-request-id"];
    const fields = {
      ...{ subject, iss, audience, serviceAccountUid, podName, podUid, jti },
      ...{ requestId: isRequestId(id) ? id : undefined, peer: request.socket.remoteAddress },
      ...(pathFrom && questionOf(request, pathFrom)),
    };
    log.info(fields, "accepted");
  };
}

function refusalLog({ pathFrom }: Config, log: Log, metrics: Metrics, clock: Clock) {
  const limit = new LineLimit(refusalLinesPerSecond, clock.monotonic);
  return ({ reason, identity, detail }: Refused, requestId: string, request: IncomingMessage, token?: string) => {
    metrics.refused(reason);
    const fields = { reason, status: refusals[reason].status, requestId, peer: request.socket.remoteAddress };
    // Health checks of gateways come without a token, all the time.
    if (reason === "no_token") return log.debug(fields, "refused");
    const admitted = limit.admit();
    if (!admitted) return;
    const origin = token === undefined ? {} : claimedOrigin(token);
    const question = pathFrom && questionOf(request, pathFrom);
    log.info({ ...fields, ...admitted, subject: identity?.subject, ...origin, detail, ...question }, "refused");
  };
}
