/** The port that callers and gateways ask: every method and every path is the same question. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from "node:https";
import type { Decider, Decision, Refused } from "../decider.ts";
import { Refusal, type RefusalReason } from "../errors.ts";
import { bearerToken } from "../token/grammar.ts";
import { type AcceptedAnswer, acceptedJson, refusedAnswer } from "./answers.ts";

export interface DecisionServerOptions {
  readonly decider: Decider<AcceptedAnswer>;
  readonly realm: string;
  readonly keepAliveSeconds: number;
  readonly maxConnections: number;
  /** Certificate and key; without them plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** Whether connections are to be given up after their answer, because the service is about to stop. */
  readonly isDraining: () => boolean;
  readonly onAccepted?: (answer: AcceptedAnswer) => void;
  readonly onRefused?: (refused: Refused, requestId: string, request: IncomingMessage) => void;
}

/** Tokens have up to 8 KiB; gateways add headers of their own. */
const maxHeaderBytes = 16 * 1024;
/** Nobody has to send us a body; what comes is thrown away until this has passed. */
const requestTimeoutMs = 10_000;
const headersTimeoutMs = 5_000;

export function decisionServer(options: DecisionServerOptions): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: options.keepAliveSeconds * 1000,
    // Node's default, but nothing to rely on silently: lenient parsing is how requests are smuggled.
    insecureHTTPParser: false,
    requireHostHeader: true,
    // Requests without a body need no stream for it.
    optimizeEmptyRequests: true,
  };
  const listener = requestListener(options);
  const server = options.tls
    ? (createTlsServer(
        { ...limits, ...options.tls, minVersion: "TLSv1.2", handshakeTimeout: headersTimeoutMs },
        listener,
      ) as unknown as Server)
    : createServer(limits, listener);
  server.maxConnections = options.maxConnections;
  server.maxHeadersCount = 200;
  // A body that waits for leave gets the answer at once instead.
  server.on("checkContinue", listener);
  server.on("checkExpectation", listener);
  // Envoy and others pass upgrades on as they came: the question is the same.
  return server;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

function requestListener({ decider, realm, isDraining, onAccepted, onRefused }: DecisionServerOptions): Listener {
  const nextId = requestIds();

  const accept = (request: IncomingMessage, response: ServerResponse, answer: AcceptedAnswer) => {
    const { accept: accepts, "x-request-id": id } = request.headers;
    const { headers: standard, body } = wantsJson(accepts) ? acceptedJson(answer) : answer;
    let headers = standard;
    if (id !== undefined && isRequestId(id)) headers = [...headers, "X-Request-Id", id];
    if (isDraining()) headers = [...headers, "Connection", "close"];
    response.writeHead(200, headers as string[]);
    response.end(body);
    onAccepted?.(answer);
  };

  const refuse = (request: IncomingMessage, response: ServerResponse, refused: Refused) => {
    const { accept: accepts, "x-request-id": id } = request.headers;
    const requestId = isRequestId(id) ? id : nextId();
    const asJson = wantsJson(accepts);
    const { retryAfterSeconds } = refused;
    const answer = refusedAnswer(refused.reason, { realm, requestId, asJson, retryAfterSeconds });
    const headers = isDraining() ? [...answer.headers, "Connection", "close"] : answer.headers;
    response.writeHead(answer.status, headers as string[]);
    response.end(answer.body);
    onRefused?.(refused, requestId, request);
  };

  const finish = (request: IncomingMessage, response: ServerResponse, decision: Decision<AcceptedAnswer>) => {
    // Who has gone needs no answer.
    if (response.destroyed) return;
    if (decision.accepted) accept(request, response, decision.accepted);
    else refuse(request, response, decision.refused);
  };

  const later = laterAnswers();
  return (request, response) => {
    let token: string;
    try {
      token = bearerToken(request.rawHeaders);
    } catch (error) {
      const reason: RefusalReason = error instanceof Refusal ? error.reason : "internal";
      refuse(request, response, { reason, retryAfterSeconds: undefined, identity: undefined });
      return;
    }
    const known = decider.recall(token);
    if (known) {
      accept(request, response, known);
      return;
    }
    const decision = decider.decide(token);
    if (!(decision instanceof Promise)) return finish(request, response, decision);
    decision.then(
      (made) => later(() => finish(request, response, made), response),
      () => response.destroy(),
    );
  };
}

/**
 * Sends answers of verifications together, once all that came in at the same time is verified. Each by itself would wake its receiver
 * for that one answer, which costs both sides more than the verification; with nothing else to do nothing waits.
 */
function laterAnswers(): (send: () => void, response: ServerResponse) => void {
  let waiting: { readonly send: () => void; readonly response: ServerResponse }[] = [];
  const flush = () => {
    const ready = waiting;
    waiting = [];
    for (const { send, response } of ready) {
      try {
        send();
      } catch {
        // A defect of ours costs this connection and not the process.
        response.destroy();
      }
    }
  };
  return (send, response) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push({ send, response });
  };
}

function wantsJson(accept: string | undefined): boolean {
  return accept?.includes("application/json") ?? false;
}

/** What a gateway sends is used if it is harmless in logs and headers. */
function isRequestId(id: string | string[] | undefined): id is string {
  return typeof id === "string" && /^[\w.:/+=-]{1,128}$/.test(id);
}

function requestIds(): () => string {
  const prefix = randomBytes(6).toString("hex");
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
