/** The port that callers and gateways ask: every method and every path is the same question. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from "node:https";
import type { Decider, Decision, Refused } from "../decider.ts";
import { Refusal, type RefusalReason } from "../errors.ts";
import { matchesRoute, type PathSource, questionOf, type Route } from "../rules/routes.ts";
import { bearerToken, maxTokenLength } from "../token/grammar.ts";
import { type AcceptedAnswer, acceptedJson, refusedAnswer, uncheckedAnswer } from "./answers.ts";
import type { Connection, Connections } from "./connections.ts";
import { answerParserErrors, hasOneHost, refuseHost, strictParser } from "./protocol.ts";

export interface DecisionServerOptions {
  readonly decider: Decider<AcceptedAnswer>;
  readonly realm: string;
  readonly keepAliveSeconds: number;
  /** Those that the server holds, and how many there may be. */
  readonly connections: Connections;
  /** Certificate and key; without them plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** Whether connections are to be given up after their answer, because the service is about to stop. */
  readonly isDraining: () => boolean;
  /** Where the caller's method and path are. */
  readonly pathFrom: PathSource | undefined;
  /** Requests that need no token. */
  readonly unchecked: readonly Route[];
  readonly onAccepted?: (answer: AcceptedAnswer, request: IncomingMessage, isVerified: boolean) => void;
  readonly onUnchecked?: () => void;
  /** Called with the token, where one was sent. */
  readonly onRefused?: (refused: Refused, requestId: string, request: IncomingMessage, token?: string) => void;
}

/** The longest token, and 4 KiB for the headers that gateways add: what a connection may make us keep before it shows a token. */
const maxHeaderBytes = maxTokenLength + 4 * 1024;
/** Each takes memory beside its bytes. */
const maxHeaders = 100;
/** A request needs no body. Bodies are discarded up to this limit. */
const requestTimeoutMs = 5_000;
const headersTimeoutMs = 3_000;
const handshakeTimeoutMs = 5_000;

export function decisionServer(options: DecisionServerOptions): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: options.keepAliveSeconds * 1000,
    ...strictParser,
    // Requests without a body need no stream for it.
    optimizeEmptyRequests: true,
  };
  const listener = requestListener(options);
  const server = options.tls
    ? (createTlsServer(
        { ...limits, ...options.tls, minVersion: "TLSv1.2", handshakeTimeout: handshakeTimeoutMs },
        listener,
      ) as unknown as Server)
    : createServer(limits, listener);
  options.connections.guard(server);
  answerParserErrors(server, (socket) => (options.connections.of(socket)?.waiting ?? 0) > 0);
  server.maxHeadersCount = maxHeaders;
  // A body that waits for leave gets the answer at once instead.
  server.on("checkContinue", listener);
  server.on("checkExpectation", listener);
  // Envoy and others pass upgrades on as they came: the question is the same.
  return server;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

function requestListener(options: DecisionServerOptions): Listener {
  const { decider, realm, connections, pathFrom, unchecked, isDraining, onAccepted, onRefused, onUnchecked } = options;
  const nextId = requestIds();
  const withoutToken = uncheckedAnswer();
  const fitsOne = (routes: readonly Route[], request: IncomingMessage) => {
    const question = pathFrom && questionOf(request, pathFrom);
    return question !== undefined && routes.some((route) => matchesRoute(route, question));
  };

  const send = (
    { headers: { "x-request-id": id } }: IncomingMessage,
    response: ServerResponse,
    { headers: standard, body }: Pick<AcceptedAnswer, "headers" | "body">,
  ) => {
    let headers = standard;
    if (id !== undefined && isRequestId(id)) headers = [...headers, "X-Request-Id", id];
    if (isDraining()) headers = [...headers, "Connection", "close"];
    response.writeHead(200, headers as string[]);
    response.end(body);
  };

  const accept = (
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
    answer: AcceptedAnswer,
    isVerified: boolean,
  ) => {
    const { identity, routes } = answer;
    if (routes !== "all" && !fitsOne(routes, request))
      return refuse(request, response, { reason: "not_allowed", identity }, token);
    send(request, response, wantsJson(request.headers.accept) ? acceptedJson(answer) : answer);
    const connection = connections.of(request.socket);
    if (connection) connections.trust(connection);
    onAccepted?.(answer, request, isVerified);
  };

  const refuse = (request: IncomingMessage, response: ServerResponse, refused: Refused, token?: string) => {
    const { accept: accepts, "x-request-id": id } = request.headers;
    const requestId = isRequestId(id) ? id : nextId();
    const asJson = wantsJson(accepts);
    const { retryAfterSeconds } = refused;
    const answer = refusedAnswer(refused.reason, { realm, requestId, asJson, retryAfterSeconds });
    const headers = isDraining() ? [...answer.headers, "Connection", "close"] : answer.headers;
    response.writeHead(answer.status, headers as string[]);
    response.end(answer.body);
    onRefused?.(refused, requestId, request, token);
  };

  const finish = (
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
    decision: Decision<AcceptedAnswer>,
  ) => {
    // Who has gone needs no answer.
    if (response.destroyed) return;
    if (decision.accepted) accept(request, response, token, decision.accepted, true);
    else refuse(request, response, decision.refused, token);
  };

  const later = laterAnswers();
  return (request, response) => {
    if (!hasOneHost(request)) return refuseHost(response);
    if (unchecked.length > 0 && fitsOne(unchecked, request)) {
      send(request, response, withoutToken);
      onUnchecked?.();
      return;
    }
    let token: string;
    try {
      token = bearerToken(request.rawHeaders);
    } catch (error) {
      const reason: RefusalReason = error instanceof Refusal ? error.reason : "internal";
      refuse(request, response, { reason });
      return;
    }
    const known = decider.recall(token);
    if (known) {
      accept(request, response, token, known, false);
      return;
    }
    const decision = decider.decide(token);
    if (!(decision instanceof Promise)) return finish(request, response, token, decision);
    const connection: Connection | undefined = connections.of(request.socket);
    if (connection) connection.waiting += 1;
    const answer = (made: Decision<AcceptedAnswer>) => {
      if (connection) connection.waiting -= 1;
      finish(request, response, token, made);
    };
    decision.then(
      (made) => later(() => answer(made), response),
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
export function isRequestId(id: string | string[] | undefined): id is string {
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
