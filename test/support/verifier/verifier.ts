/** A verifier in this process, an issuer and API server on a local port, and raw calls to it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../../verifier/clock.ts";
import { loadConfig } from "../../../verifier/config/load.ts";
import { createLog } from "../../../verifier/log.ts";
import { type Service, startService } from "../../../verifier/service.ts";
import { answer, type LocalServer, localServer, testCa } from "../server.ts";
import { audience, goodKey, issuer, now, type SigningKey, uids } from "./tokens.ts";

/** A folder for the files of one test, which is deleted after it. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "verifier-"));

  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A clock that moves only by `advance` and `set`. `advance` also resolves the sleeps that are due. */
export class TestClock implements Clock {
  #nowMs: number;
  #monotonicMs = 1_000;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  constructor(seconds = now) {
    this.#nowMs = seconds * 1000;
  }

  now = (): number => this.#nowMs;
  monotonic = (): number => this.#monotonicMs;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted || ms <= 0) return resolve();
      this.#sleepers.push({ at: this.#monotonicMs + ms, wake: resolve });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += ms;
    const due = this.#sleepers.filter(({ at }) => at <= this.#monotonicMs);
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#monotonicMs);
    for (const { wake } of due) wake();
  }

  /** Sets the wall clock forward by milliseconds, or back if they are negative. */
  set(ms: number): void {
    this.#nowMs += ms;
  }
}

export interface Review {
  readonly token: string;
  readonly audiences: readonly string[];
}

/** An API server for the verifier. A test can replace each answer. */
export interface ApiServer extends AsyncDisposable {
  readonly server: LocalServer;
  readonly url: string;
  /** Issuer that its discovery document names. */
  issuer: string;
  /** Published keys. */
  keys: readonly unknown[];
  /** Returns the status of a TokenReview; `undefined` if it answers the request itself or leaves it unanswered. */
  review: (review: Review, response: ServerResponse) => object | undefined;
  readonly reviews: Review[];
  keyHeaders: Record<string, string>;
  keyRequests: number;
  /** Status of all answers while it is set. */
  outage: number | undefined;
}

/** The status that an API server gives for the tokens of {@link mint}. */
export function acceptedStatus({ audiences }: Review, more: object = {}): object {
  return {
    authenticated: true,
    audiences,
    user: {
      username: "system:serviceaccount:team-a:web",
      uid: uids.account,
      groups: ["system:serviceaccounts", "system:serviceaccounts:team-a", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/pod-name": ["web-0"],
        "authentication.kubernetes.io/pod-uid": [uids.pod],
        "authentication.kubernetes.io/node-name": ["node-1"],
        "authentication.kubernetes.io/credential-id": ["JTI=5f1ad6b0-0000-4000-8000-000000000000"],
      },
      ...more,
    },
  };
}

export async function apiServer(keys: readonly SigningKey[] = [goodKey]): Promise<ApiServer> {
  const server = await localServer((request, response) => void handle(request, response));
  const api: ApiServer = {
    server,
    url: server.url,
    issuer,
    keys: keys.map((key) => key.jwk),
    review: (review) => acceptedStatus(review),
    reviews: [],
    keyHeaders: {},
    keyRequests: 0,
    outage: undefined,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (api.outage !== undefined) return answer(response, api.outage, { kind: "Status" });
    switch (request.url) {
      case "/.well-known/openid-configuration":
        return answer(response, 200, { issuer: api.issuer, jwks_uri: `${api.url}/openid/v1/jwks` });
      case "/openid/v1/jwks":
        api.keyRequests += 1;
        return answer(response, 200, { keys: api.keys }, api.keyHeaders);
      case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
        return answer(response, 201, { kind: "SelfSubjectAccessReview", status: { allowed: true } });
      case "/apis/authentication.k8s.io/v1/tokenreviews": {
        const { spec } = JSON.parse(body) as { spec: Review };
        api.reviews.push(spec);
        const status = api.review(spec, response);
        if (status) answer(response, 201, { kind: "TokenReview", status });
        return;
      }
      default:
        return answer(response, 404, { kind: "Status" });
    }
  }
  return api;
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export interface Verifier extends AsyncDisposable {
  readonly service: Service;
  readonly port: number;
  readonly clock: TestClock | undefined;
  /** Parsed lines of the log. */
  readonly lines: Record<string, unknown>[];
  ask(token?: string, headers?: Record<string, string>, method?: string, path?: string): Promise<Reply>;
}

export interface VerifierSettings {
  /** Uses the real clock instead of a TestClock. */
  readonly realTime?: boolean;
  /** Does not wait until it is ready. */
  readonly unready?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a verifier with settings of its configuration file, and waits until it is ready. */
export async function verifier(
  settings: object,
  { realTime, unready, env = {} }: VerifierSettings = {},
): Promise<Verifier> {
  const clock = realTime ? undefined : new TestClock();
  const lines: Record<string, unknown>[] = [];
  const log = createLog("debug", (line) => void lines.push(JSON.parse(line)));
  const given = { listen: "127.0.0.1:0", adminListen: "127.0.0.1:0", audience, ...settings };
  const config = loadConfig({ args: ["--config", "file"], env, readFile: () => JSON.stringify(given) });
  const service = await startService(config, { log, clock });
  const started: Verifier = {
    service,
    port: service.port,
    clock,
    lines,
    ask: (token, headers, method, path) => ask(service.port, token, headers, method, path),
    async [Symbol.asyncDispose]() {
      await service.stop({ drainSeconds: 0 });
    },
  };
  if (!unready) await until(() => service.unreadyReasons().length === 0, "the verifier is ready");
  return started;
}

/** Settings for a local API server: hybrid by default. */
export function apiSettings(api: ApiServer, folder: Folder, more: object = {}): object {
  return {
    apiServer: api.url,
    apiCaFile: folder.write("ca.crt", testCa.certPem),
    apiTokenFile: folder.write("token", "own-token\n"),
    ...more,
  };
}

/** Settings for a key in a file: no server is needed. */
export function keySettings(folder: Folder, more: object = {}, pem = goodKey.publicPem): object {
  return { mode: "jwt-pubkey", issuer, publicKeyFile: folder.write("keys.pem", pem), ...more };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function ask(
  port: number,
  token?: string,
  headers: Record<string, string> = {},
  method = "GET",
  path = "/",
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const all = { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers };
    const outgoing = request({ host: "127.0.0.1", port, method, path, headers: all, agent: false });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) =>
      text(incoming).then(
        (body) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
        reject,
      ),
    );
    outgoing.end();
  });
}

/** Waits for a condition, in real time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timeout after ${limitMs} ms. Expected: ${what}.`);
    await sleep(5);
  }
}
