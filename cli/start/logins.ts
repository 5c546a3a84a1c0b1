import { request } from "node:https";
import type { AkeylessTestGateway } from "../../demo/akeyless/index.ts";
import type { VaultAuth } from "../../demo/gateways/vault/index.ts";
import type { Finding } from "../checks/report.ts";
import { accounts, lodging, type Workloads } from "./scene.ts";

/** The part of the stack's outputs that gateways and their workloads take. */
export interface GatewayOutputs {
  readonly authConfigs: {
    readonly token: { readonly akeyless: AuthConfig; readonly vault: AuthConfig };
    readonly certificate?: { readonly akeyless: AuthConfig };
  };
  readonly workloadLogin: {
    readonly akeyless: { readonly accessId: string; readonly gatewayUrl: string; readonly k8sAuthConfigName: string };
  };
}
type AuthConfig = Readonly<Record<string, string | boolean>>;

/** Settings of the stack, from the auth method that a user makes at Akeyless first. */
export interface AkeylessAccess {
  readonly accessId: string;
  /** Secret. */
  readonly signingKey: string;
  readonly gatewayUrl: string;
}

/** The throw-away gateways of a demonstration, which take auth configs and log workloads in. */
export class Gateways implements AsyncDisposable {
  readonly #akeyless: AkeylessTestGateway;
  readonly #vault: VaultAuth;

  constructor(akeyless: AkeylessTestGateway, vault: VaultAuth) {
    this.#akeyless = akeyless;
    this.#vault = vault;
  }

  /** An auth method for the demonstration's namespace alone, as the account's owner makes it. */
  async akeylessAccess(): Promise<AkeylessAccess> {
    const method = await this.#owner("public", "auth-method-create-k8s", {
      name: `/${lodging}`,
      "bound-namespaces": [lodging],
    });
    return {
      accessId: String(method.access_id),
      signingKey: String(method.prv_key),
      gatewayUrl: this.#akeyless.url,
    };
  }

  /** Feeds the outputs to the gateways as they are, and logs the workload in at each. */
  async logIn({ authConfigs, workloadLogin }: GatewayOutputs, workloads: Workloads): Promise<Finding[]> {
    const token = await workloads.gatewayToken();
    const byAkeyless = (credential: string, config: AuthConfig) =>
      login(`Akeyless, by the ${credential} (a stand-in for it)`, async () => {
        await this.#owner("api/v2", "gateway-create-k8s-auth-config", config);
        return this.#akeylessLogin({ ...workloadLogin.akeyless, k8sAuthConfigName: String(config.name) }, token);
      });
    const findings = [await byAkeyless("reviewer's token", authConfigs.token.akeyless)];
    const { certificate } = authConfigs;
    if (certificate) findings.push(await byAkeyless("client certificate", certificate.akeyless));
    findings.push(
      await login("Vault, by the reviewer's token (its own auth method)", () => this.#vaultLogin(authConfigs, token)),
    );
    return findings;
  }

  async #akeylessLogin(login: GatewayOutputs["workloadLogin"]["akeyless"], jwt: string): Promise<Who> {
    await post(`${login.gatewayUrl}/api/v2/auth`, this.#akeyless.caPem, {
      "access-type": "k8s",
      "access-id": login.accessId,
      "k8s-auth-config-name": login.k8sAuthConfigName,
      "k8s-service-account-token": Buffer.from(jwt).toString("base64"),
    });
    const claims = this.#akeyless.logins.at(-1)?.claims ?? {};
    return { namespace: String(claims.namespace), account: String(claims.service_account_name), pod: claims.pod_name };
  }

  async #vaultLogin({ token: { vault } }: GatewayOutputs["authConfigs"], jwt: string): Promise<Who> {
    const role = { bound_service_account_names: [accounts.caller], bound_service_account_namespaces: [lodging] };
    for (const [path, data] of Object.entries({ config: vault, "role/demo": role })) {
      const { error } = await this.#vault.write(path, data);
      if (error) throw new Error(`${path}: ${error}`);
    }
    const { error, metadata } = await this.#vault.login("demo", jwt);
    if (error || !metadata) throw new Error(`login: ${error}`);
    return { namespace: String(metadata.service_account_namespace), account: String(metadata.service_account_name) };
  }

  /** A call of the account's owner. */
  #owner(api: "public" | "api/v2", command: string, body: object): Promise<Record<string, unknown>> {
    const session = { ...body, token: this.#akeyless.session() };
    return post(`${this.#akeyless.url}/${api}/${command}`, this.#akeyless.caPem, session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#akeyless[Symbol.asyncDispose](), this.#vault[Symbol.asyncDispose]()]);
  }
}

/** Whom a gateway says it has logged in. */
interface Who {
  readonly namespace: string;
  readonly account: string;
  readonly pod?: unknown;
}

async function login(gateway: string, logIn: () => Promise<Who>): Promise<Finding> {
  const claim = `A workload logs in at ${gateway}`;
  try {
    const { namespace, account, pod } = await logIn();
    const seen = `${namespace}/${account}${typeof pod === "string" ? `, pod ${pod}` : ""}`;
    return { claim, holds: namespace === lodging && account === accounts.caller, seen };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

function post(url: string, ca: string, body: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: "POST",
      ca,
      agent: false,
      headers: { "Content-Type": "application/json" },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("end", () => {
        if (incoming.statusCode === 200) resolve(JSON.parse(text) as Record<string, unknown>);
        else reject(new Error(`${new URL(url).pathname} was answered with ${incoming.statusCode}: ${text}`));
      });
    });
    outgoing.end(JSON.stringify(body));
  });
}
