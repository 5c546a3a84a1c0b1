/** A test tool: an Akeyless Gateway and its account, as far as tests need them. See the README beside. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Identity, makeCertificate } from "../../certificate.ts";
import { Account } from "./account.ts";
import { configFrom, type StoredConfig } from "./authConfigs.ts";
import { type Body, optional, Refusal, required } from "./failures.ts";
import { type GatewayAccount, type Login, logIn } from "./login.ts";

export type { Login } from "./login.ts";

/** What goes wrong with a call: an answer instead of the work, or a connection that ends before or after it. */
export type Fault =
  | { readonly status: number; readonly body: string; readonly contentType?: string; readonly retryAfter?: number }
  | "reset"
  | "lost"
  | "hang";

export interface Call {
  readonly command: string;
  readonly body: Body;
}

export class AkeylessTestGateway implements AsyncDisposable {
  readonly account = new Account();
  readonly configs = new Map<string, StoredConfig>();
  readonly accessId = `p-${randomBytes(6).toString("hex")}`;
  readonly accessKey = randomBytes(24).toString("base64");
  /** Every call, in order, without the session. */
  readonly calls: Call[] = [];
  readonly logins: Login[] = [];
  /** Decides what goes wrong with a call. */
  fault: (call: Call) => Fault | undefined = () => undefined;
  /** The gateway's own ServiceAccount, where it runs in a cluster. */
  ownAccount: GatewayAccount | undefined;
  readonly caPem: string;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #sessions = new Set<string>();

  private constructor(ca: Identity, server: Identity) {
    this.caPem = ca.certPem;
    this.#server = createServer({ cert: server.certPem, key: server.keyPem }, (incoming, outgoing) => {
      void this.#serve(incoming, outgoing);
    });
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
  }

  static async start(): Promise<AkeylessTestGateway> {
    const ca = makeCertificate({ commonName: "gateway-ca" });
    const identity = makeCertificate({ commonName: "gateway", issuer: ca, names: ["127.0.0.1", "localhost"] });
    const gateway = new AkeylessTestGateway(ca, identity);
    gateway.#server.listen(0, "127.0.0.1");
    await once(gateway.#server, "listening");
    return gateway;
  }

  /** What workloads are told: the gateway's URL without the API's path. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get gatewayApi(): string {
    return `${this.url}/api/v2`;
  }

  get publicApi(): string {
    return `${this.url}/public`;
  }

  /** What the environment of `up` needs. */
  get env(): Record<string, string> {
    return { AKEYLESS_ACCESS_ID: this.accessId, AKEYLESS_ACCESS_KEY: this.accessKey };
  }

  expireSessions(): void {
    this.#sessions.clear();
  }

  /** A session of the caller's, without a login. */
  session(): string {
    const token = `t-${randomBytes(12).toString("hex")}`;
    this.accept(token);
    return token;
  }

  /** Takes a session that another gateway of the account has given. */
  accept(token: string): void {
    this.#sessions.add(token);
  }

  /** The commands of the calls so far, as `create`, `update` … see them. */
  get commands(): string[] {
    return this.calls.map(({ command }) => command);
  }

  /** A workload's login, with what `workloadLogin` tells it and its own token. @throws Refusal */
  async logIn(accessId: string, configName: string, jwt: string): Promise<Login> {
    const config = this.configs.get(configName);
    if (!config) throw new Refusal(404, `k8s auth config ${configName} was not found`);
    const login = await logIn(this.account, config, accessId, jwt, this.ownAccount);
    this.logins.push(login);
    return login;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const path = incoming.url ?? "";
    const [, base = "", command = ""] = /^\/(api\/v2|public)\/([a-z0-9-]+)$/.exec(path) ?? [];
    try {
      if (incoming.method !== "POST" || base === "") throw new Refusal(404, "page not found");
      const { token, ...body } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
      const call = { command, body };
      this.calls.push(call);
      const fault = this.fault(call);
      if (fault === "reset") return void incoming.socket.destroy();
      if (fault === "hang") return;
      if (typeof fault === "object")
        return respond(outgoing, fault.status, fault.body, fault.contentType, fault.retryAfter);
      const answer = await this.#answer(base === "public", command, body, token);
      if (fault === "lost") return void incoming.socket.destroy();
      respond(outgoing, 200, JSON.stringify(answer, newer));
    } catch (error) {
      const { status, message } = error instanceof Refusal ? error : new Refusal(500, String(error));
      respond(outgoing, status, JSON.stringify({ error: message }));
    }
  }

  async #answer(isPublic: boolean, command: string, body: Body, token: unknown): Promise<object> {
    if (command === "auth") return this.#auth(body);
    if (typeof token !== "string" || !this.#sessions.has(token)) throw new Refusal(401, "Unauthorized: invalid token");
    if (command.startsWith("gateway-")) {
      if (isPublic) throw new Refusal(403, "command is not available on public gateway");
      return this.#gateway(command, body);
    }
    const work = this.account.commands[command];
    if (!work) throw new Refusal(404, "page not found");
    return work(body);
  }

  async #auth(body: Body): Promise<object> {
    if ((optional(body, "access-type") ?? "access_key") === "access_key") {
      if (required(body, "access-id") !== this.accessId || required(body, "access-key") !== this.accessKey) {
        throw new Refusal(401, "Unauthorized: access key is not valid");
      }
      return { token: this.session(), creds: null };
    }
    const given = required(body, "k8s-service-account-token");
    // REST clients send base64, the CLI's own requests the JWT.
    const jwt = given.includes(".") ? given : Buffer.from(given, "base64").toString("utf8");
    await this.logIn(required(body, "access-id"), required(body, "k8s-auth-config-name"), jwt);
    return { token: this.session() };
  }

  #gateway(command: string, body: Body): object {
    const name = required(body, "name");
    const live = this.configs.get(name);
    if (command === "gateway-create-k8s-auth-config") {
      if (live) throw new Refusal(409, `k8s auth config ${name} already exists`);
      this.configs.set(name, configFrom(body, randomBytes(8).toString("hex"), name));
      return { cluster_id: "c", total_hash: "h", parts_change: {} };
    }
    if (!live) throw new Refusal(404, `k8s auth config ${name} was not found`);
    switch (command) {
      case "gateway-get-k8s-auth-config":
        return { ...live, k8s_pub_keys_pem: null };
      case "gateway-update-k8s-auth-config": {
        const config = configFrom(body, live.id, required(body, "new-name"));
        this.configs.delete(name);
        this.configs.set(config.name, config);
        return { cluster_id: "c" };
      }
      case "gateway-delete-k8s-auth-config":
        this.configs.delete(name);
        return { cluster_id: "c" };
      default:
        throw new Refusal(404, "page not found");
    }
  }
}

/** Every object of an answer has a field that its reader does not know, as a newer server's would; maps of claims have none. */
function newer(key: string, value: unknown): unknown {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && !key.endsWith("_claims") ? { ...value, a_field_of_the_future: ["new"] } : value;
}

function respond(
  outgoing: ServerResponse,
  status: number,
  body: string,
  contentType = "application/json",
  retryAfter?: number,
): void {
  outgoing.writeHead(status, {
    ...(contentType && { "Content-Type": contentType }),
    ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
  });
  outgoing.end(body);
}
