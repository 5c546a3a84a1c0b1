/** The whole service, put together from a configuration. */
import type { IncomingMessage } from "node:http";
import type { Server as TlsServer } from "node:https";
import { type Clock, systemClock } from "./clock.ts";
import type { Config, Endpoint } from "./config/config.ts";
import { Decider, type Refused } from "./decider.ts";
import { refusals } from "./errors.ts";
import { adminServer } from "./http/adminServer.ts";
import { type AcceptedAnswer, acceptedAnswer } from "./http/answers.ts";
import { decisionServer } from "./http/decisionServer.ts";
import { close, listen } from "./http/listening.ts";
import { readTls, type TlsMaterial } from "./http/tlsFiles.ts";
import { type Issuer, issuersOf } from "./issuer.ts";
import { createLog, errorFields, LineLimit, type Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { Remote } from "./net/remote.ts";

export interface ServiceOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default JSON lines on standard output */
  readonly log?: Log;
  /** Makes connections to other servers. @default node:https with the endpoint's CA and token */
  readonly connect?: (endpoint: Endpoint) => Remote;
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
/** Refusals in the log, per second: whoever floods us must not flood the disk. */
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
    onError: (error) => log.error(errorFields(error), "a token could not be verified"),
    onVerified: (ms) => metrics.verificationSeconds.observe(ms / 1000),
  });
  const unreadyReasons = () => (draining ? ["The verifier is stopping."] : unready(issuers));
  const metrics: Metrics = new Metrics({
    cacheEntries: () => ({ accepted: decider.acceptedEntries, refused: decider.refusedEntries }),
    cacheCounts: () => decider.counts,
    pending: () => decider.pending,
    reviewsInFlight: () => issuers.reduce((sum, { reviewer }) => sum + (reviewer?.inFlight ?? 0), 0),
    keys: () =>
      issuers.flatMap(({ name, keyring }) =>
        keyring ? [{ issuer: name, count: keyring.keyCount, loadedAtMs: keyring.loadedAt }] : [],
      ),
    certificateNotAfterMs: () => tls?.notAfterMs,
    ready: () => unreadyReasons().length === 0,
  });

  const server = decisionServer({
    decider,
    realm: config.realm,
    keepAliveSeconds: config.keepAliveSeconds,
    maxConnections: config.maxConnections,
    tls: tls?.options,
    isDraining: () => draining,
    onAccepted: ({ identity }) => metrics.accepted(identity.issuer),
    onRefused: refusalLog(log, metrics, clock),
  });
  const admin = adminServer({ registry: metrics.registry, unreadyReasons });
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
  log.info(
    { port, adminPort, tls: tls !== undefined, issuers: issuers.map(({ name, mode }) => ({ name, mode })) },
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

  let stopping: Promise<void> | undefined;
  async function stopAll(drainSeconds: number): Promise<void> {
    draining = true;
    log.info({ drainSeconds }, "stopping");
    await clock.sleep(drainSeconds * 1000);
    await close(server, closeLimitMs);
    await release();
    await reloading;
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

function refusalLog(log: Log, metrics: Metrics, clock: Clock) {
  const limit = new LineLimit(refusalLinesPerSecond, clock.now);
  return ({ reason, identity }: Refused, requestId: string, request: IncomingMessage) => {
    metrics.refused(reason);
    const fields = { reason, status: refusals[reason].status, requestId, peer: request.socket.remoteAddress };
    // Health checks of gateways come without a token, all the time.
    if (reason === "no_token") return log.debug(fields, "refused");
    const admitted = limit.admit();
    if (admitted) log.info({ ...fields, ...admitted, subject: identity?.subject }, "refused");
  };
}
