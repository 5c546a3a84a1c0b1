/** Server for callers and gateways. Only rules with a route and `unchecked` distinguish methods and paths. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from "node:https";
import type { Decider, Decision, Refused } from "../decider.ts";
import { Refusal, type RefusalReason } from "../errors.ts";
import { callerRequestOf, matchesRoute, type PathSource, type Route } from "../rules/routes.ts";
import { bearerToken, maxTokenLength } from "../token/grammar.ts";
import { type AcceptedAnswer, acceptedJson, refusedAnswer, uncheckedAnswer } from "./answers.ts";
import type { Connection, Connections } from "./connections.ts";
import { answerParserErrors, hasOneHost, refuseHost, strictParser } from "./protocol.ts";

export interface DecisionServerOptions {
  readonly decider: Decider;
  readonly realm: string;
  readonly keepAliveSeconds: number;
  /** Limits the connections of the server. */
  readonly connections: Connections;
  /** Certificate and key; `undefined` for plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** If true, answers ask the client to close the connection. */
  readonly isDraining: () => boolean;
  /** Headers with the caller's method and path. */
  readonly pathFrom: PathSource | undefined;
  /** Requests that need no token. */
  readonly unchecked: readonly Route[];
  readonly onAccepted?: (answer: AcceptedAnswer, request: IncomingMessage, isVerified: boolean) => void;
  readonly onUnchecked?: () => void;
  /** Called with the token, if one was sent. */
  readonly onRefused?: (refused: Refused, requestId: string, request: IncomingMessage, token?: string) => void;
}

/** With it a gateway or a service accepts only one of several audiences. */
const requiredAudienceHeader = "x-k8sauth-required-audience";

/** Room for the longest token and 4 KiB of other headers. A client without a token can make the server buffer this much. */
const maxHeaderBytes = maxTokenLength + 4 * 1024;
/** Each header uses memory in addition to its bytes. */
const maxHeaders = 100;
/** Includes the body, which is discarded. */
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
    // Creates no stream for an empty body.
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
  // A request with `Expect` gets its answer at once, without its body.
  server.on("checkContinue", listener);
  server.on("checkExpectation", listener);
  // Without a listener for `upgrade`, Node.js treats upgrade requests as ordinary ones. Envoy forwards them unchanged.
  return server;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

function requestListener(options: DecisionServerOptions): Listener {
  const { decider, realm, connections, pathFrom, unchecked, isDraining, onAccepted, onRefused, onUnchecked } = options;
  const nextId = requestIds();
  const unneeded = uncheckedAnswer();
  const matchesOne = (routes: readonly Route[], request: IncomingMessage) => {
    const reported = pathFrom && callerRequestOf(request, pathFrom);
    return reported !== undefined && routes.some((route) => matchesRoute(route, reported));
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
    const required = request.headers[requiredAudienceHeader];
    // Several such headers arrive as one text, which is no audience.
    if (required !== undefined && !identity.audiences.includes(String(required)))
      return refuse(request, response, { reason: "wrong_audience", identity }, token);
    if (routes !== "all" && !matchesOne(routes, request))
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

  const finish = (request: IncomingMessage, response: ServerResponse, token: string, decision: Decision) => {
    if (response.destroyed) return;
    if (decision.accepted) accept(request, response, token, decision.accepted, true);
    else refuse(request, response, decision.refused, token);
  };

  const later = laterAnswers();
  return (request, response) => {
    if (!hasOneHost(request)) return refuseHost(response);
    if (unchecked.length > 0 && matchesOne(unchecked, request)) {
      send(request, response, unneeded);
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
    const cached = decider.recall(token);
    if (cached) {
      accept(request, response, token, cached, false);
      return;
    }
    const decision = decider.decide(token);
    if (!(decision instanceof Promise)) return finish(request, response, token, decision);
    const connection: Connection | undefined = connections.of(request.socket);
    if (connection) connection.waiting += 1;
    const answer = (decided: Decision) => {
      if (connection) connection.waiting -= 1;
      finish(request, response, token, decided);
    };
    decision.then(
      (decided) => later(() => answer(decided), response),
      () => response.destroy(),
    );
  };
}

/**
 * Sends the answers of concurrent verifications together, in one turn of the event loop. Single answers would wake each receiver
 * separately, which costs both sides more than the verification.
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
        // A defect closes this connection and does not end the process.
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

/** Whether a request id of a gateway can be used in logs and headers. */
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
