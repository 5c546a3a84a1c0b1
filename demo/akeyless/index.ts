/** A test tool: a stand-in for an Akeyless Gateway and its account. README.md in this folder describes it. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type KeyPair, makeCertificate } from "../../sandbox/cluster/certificate.ts";
import { Account } from "./account.ts";
import { configFrom, type StoredConfig } from "./authConfigs.ts";
import { type Body, errorBody, optional, Refusal, required } from "./failures.ts";
import { type GatewayAccount, type Login, logIn } from "./login.ts";
import { idOf, pathOf } from "./paths.ts";

export type { Login } from "./login.ts";

/**
 * A fault of a call. An object is an answer instead of the work. `reset` closes the connection before the work, `lost` after it. `hang` sends no
 * answer.
 */
export type Fault =
  | { readonly status: number; readonly body: string; readonly contentType?: string; readonly retryAfter?: number }
  | "reset"
  | "lost"
  | "hang";

export interface Call {
  readonly command: string;
  /** The request, without its session. */
  readonly body: Body;
  /** Undefined for a call that was refused. */
  readonly answer?: object;
}

/** The certificate of a gateway on this machine, and its CA. */
export function makeGatewayIdentity(): { readonly ca: KeyPair; readonly identity: KeyPair } {
  const ca = makeCertificate({ commonName: "gateway-ca" });
  return { ca, identity: makeCertificate({ commonName: "gateway", issuer: ca, names: ["127.0.0.1", "localhost"] }) };
}

export class AkeylessTestGateway implements AsyncDisposable {
  readonly account = new Account();
  readonly configs = new Map<string, StoredConfig>();
  readonly accessId = idOf("p-");
  readonly accessKey = randomBytes(24).toString("base64");
  /** Token of the caller's universal identity, which replaces the session in every call. */
  readonly uidToken = `u-${randomBytes(16).toString("hex")}`;
  /** A token of the caller's identity provider, for logins by JWT and OIDC. */
  readonly jwt = [{ alg: "RS256" }, { sub: "deployer" }, randomBytes(16).toString("hex")]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  /** All calls, in order. */
  readonly calls: Call[] = [];
  readonly logins: Login[] = [];
  /** Returns the fault of a call; undefined for none. */
  fault: (call: Call) => Fault | undefined = () => undefined;
  /** Whether the caller's role permits a call. */
  permits: (call: Call) => boolean = () => true;
  version = "4.30";
  /** Whether names of auth configs are equal with and without a leading slash. The documents leave this open. */
  namesArePaths = false;
  /** Path in the Configuration Manager's URL, for a gateway behind a proxy. Logins must name it. */
  managerPath = "";
  /** The gateway's own ServiceAccount; undefined if it does not run in a cluster. */
  ownAccount: GatewayAccount | undefined;
  readonly caPem: string;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  /** Valid sessions: the login of a workload, or undefined for the caller, by token. */
  readonly #sessions = new Map<string, Login | undefined>();

  private constructor(ca: KeyPair, server: KeyPair) {
    this.caPem = ca.certPem;
    this.#server = createServer({ cert: server.certPem, key: server.keyPem }, (incoming, outgoing) => {
      void this.#serve(incoming, outgoing);
    });
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
  }

  static async start({ ca, identity } = makeGatewayIdentity()): Promise<AkeylessTestGateway> {
    const gateway = new AkeylessTestGateway(ca, identity);
    gateway.#server.listen(0, "127.0.0.1");
    await once(gateway.#server, "listening");
    return gateway;
  }

  /** The URL of the Configuration Manager, which logins name. */
  get managerUrl(): string {
    return this.url + this.managerPath;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get gatewayApi(): string {
    return `${this.url}/api/v2`;
  }

  get publicApi(): string {
    return `${this.url}/public`;
  }

  /** The environment variables with which `pulumi up` logs in. */
  get env(): Record<string, string> {
    return { AKEYLESS_ACCESS_ID: this.accessId, AKEYLESS_ACCESS_KEY: this.accessKey };
  }

  expireSessions(): void {
    this.#sessions.clear();
  }

  /** Creates a session of the caller, without a login; returns its token. */
  session(): string {
    const token = `t-${randomBytes(16).toString("hex")}`;
    this.accept(token);
    return token;
  }

  /** Accepts a session of another gateway of the account. */
  accept(token: string): void {
    this.#sessions.set(token, undefined);
  }

  /** The commands of all calls, in order. */
  get commands(): string[] {
    return this.calls.map(({ command }) => command);
  }

  /** Logs a workload in with its own token and the values of `workloadLogin`. @throws Refusal */
  async logIn(accessId: string, configName: string, jwt: string): Promise<Login> {
    const config = this.configs.get(this.#nameOf(configName));
    if (!config) throw new Refusal(404, `k8s auth name [${configName}] not found`);
    const login = await logIn(this.account, config, accessId, jwt, this.ownAccount, this.version);
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
    const [, base = "", command = ""] = /^\/(api\/v[12]|public)\/([a-z0-9-]+)$/.exec(path) ?? [];
    if (incoming.method !== "POST" || base === "") return respond(outgoing, 404, "404 page not found\n", "text/plain");
    try {
      const sent = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
      const { token, "uid-token": uidToken, ...body } = sent;
      const call: { -readonly [K in keyof Call]: Call[K] } = { command, body };
      this.calls.push(call);
      const fault = this.fault(call);
      if (fault === "reset") return void incoming.socket.destroy();
      if (fault === "hang") return;
      if (typeof fault === "object")
        return respond(outgoing, fault.status, fault.body, fault.contentType, fault.retryAfter);
      // The first version of the API has other fields, so required ones are absent.
      if (base === "api/v1") throw new Refusal(400, "access-id or email must be provided", "");
      call.answer = await this.#answer(base === "public", call, token ?? uidToken);
      if (fault === "lost") return void incoming.socket.destroy();
      respond(outgoing, 200, JSON.stringify(call.answer, withUnknownField));
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, String(error));
      respond(outgoing, refusal.status, JSON.stringify(errorBody(command, refusal, this.accessId)));
    }
  }

  async #answer(isPublic: boolean, call: Call, session: unknown): Promise<object> {
    const { command, body } = call;
    if (command === "auth") return this.#auth(body);
    const isValid = typeof session === "string" && (this.#sessions.has(session) || session === this.uidToken);
    if (!isValid) throw new Refusal(401, "Unauthorized: invalid token", "");
    if (command.startsWith("gateway-") && isPublic) {
      throw new Refusal(403, `command is not available on public gateway '${command}'`, "");
    }
    if (!this.permits(call)) throw new Refusal(401, `unauthorized access for access id ${this.accessId}`);
    if (command.startsWith("gateway-")) return this.#gateway(command, body);
    if (command === "describe-sub-claims") return { sub_claims: this.#sessions.get(String(session))?.claims ?? {} };
    const work = this.account.commands[command];
    if (!work) throw new Refusal(404, `${command} is not a command`);
    return work(body);
  }

  async #auth(body: Body): Promise<object> {
    const type = optional(body, "access-type") || "access_key";
    if (type === "access_key" || type === "api_key") {
      if (required(body, "access-id") !== this.accessId || required(body, "access-key") !== this.accessKey) {
        throw new Refusal(401, "Unauthorized: invalid access key", "");
      }
      return { token: this.session() };
    }
    if (type === "jwt" || type === "oidc") {
      if (required(body, "access-id") !== this.accessId || required(body, "jwt") !== this.jwt) {
        throw new Refusal(401, "Unauthorized: invalid JWT", "");
      }
      return { token: this.session() };
    }
    if (type !== "k8s") throw new Refusal(400, `access-type: ${type} is not known`, "InvalidParam");
    const given = required(body, "k8s-service-account-token");
    if (given.includes(".")) throw new Refusal(400, "k8s-service-account-token: not base64", "InvalidParam");
    // The service requests the auth config from the gateway that the login names.
    const manager = optional(body, "gateway-url") || this.managerUrl;
    if (manager.replace(/\/+$/, "") !== this.managerUrl) {
      throw new Refusal(400, `failed to get the k8s auth config from ${manager}: 404 page not found`, "");
    }
    const jwt = Buffer.from(given, "base64").toString("utf8");
    const login = await this.logIn(required(body, "access-id"), required(body, "k8s-auth-config-name"), jwt);
    const token = this.session();
    this.#sessions.set(token, login);
    return { token };
  }

  #nameOf(name: string): string {
    return this.namesArePaths ? pathOf(name) : name;
  }

  #gateway(command: string, body: Body): object {
    const name = this.#nameOf(required(body, "name"));
    const live = this.configs.get(name);
    if (command === "gateway-create-k8s-auth-config") {
      if (live) throw new Refusal(409, `k8s auth config ${name} already exists`);
      this.configs.set(name, configFrom(body, idOf("", 32), name));
      return { cluster_id: "c", total_hash: "h", parts_change: {} };
    }
    if (!live) throw new Refusal(404, `k8s auth name [${name}] not found`);
    switch (command) {
      case "gateway-get-k8s-auth-config":
        return { ...live, k8s_pub_keys_pem: null };
      case "gateway-update-k8s-auth-config": {
        const config = configFrom(body, live.id, this.#nameOf(optional(body, "new-name") || name));
        this.configs.delete(name);
        this.configs.set(config.name, config);
        return { cluster_id: "c" };
      }
      case "gateway-delete-k8s-auth-config":
        this.configs.delete(name);
        return { cluster_id: "c" };
      default:
        throw new Refusal(404, `${command} is not a command`);
    }
  }
}

/** Adds a field that no client knows to every object of an answer, as a newer server would. Maps of claims have no such field. */
function withUnknownField(key: string, value: unknown): unknown {
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
