import { request } from "node:https";
import type { Finding } from "../kubernetes/finding.ts";
import type { AkeylessTestGateway } from "./akeyless/index.ts";
import type { VaultAuth } from "./gateways/vault/index.ts";
import { accounts, demoNamespace, type Workloads } from "./workloads/scenario.ts";

/** The part of the stack's outputs that gateways and their workloads use. */
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

/** Values for settings of the stack, from an auth method that exists at Akeyless before the stack. */
export interface AkeylessAccess {
  readonly accessId: string;
  /** Base64 of a PEM private key. Secret. */
  readonly signingKey: string;
  readonly gatewayUrl: string;
}

/** The throw-away gateways of the demonstration: they receive the auth configs and log workloads in. */
export class Gateways implements AsyncDisposable {
  readonly #akeyless: AkeylessTestGateway;
  readonly #vault: VaultAuth;

  constructor(akeyless: AkeylessTestGateway, vault: VaultAuth) {
    this.#akeyless = akeyless;
    this.#vault = vault;
  }

  /** Creates an auth method that is bound to the demonstration's namespace, as the account's owner. */
  async akeylessAccess(): Promise<AkeylessAccess> {
    const method = await this.#owner("public", "auth-method-create-k8s", {
      name: `/${demoNamespace}`,
      "bound-namespaces": [demoNamespace],
    });
    return {
      accessId: String(method.access_id),
      signingKey: String(method.prv_key),
      gatewayUrl: this.#akeyless.url,
    };
  }

  /** Writes the auth configs to the gateways unchanged, and logs the workload in at each. */
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

  async #akeylessLogin(login: GatewayOutputs["workloadLogin"]["akeyless"], jwt: string): Promise<LoggedIn> {
    await post(`${login.gatewayUrl}/api/v2/auth`, this.#akeyless.caPem, {
      "access-type": "k8s",
      "access-id": login.accessId,
      "k8s-auth-config-name": login.k8sAuthConfigName,
      "k8s-service-account-token": Buffer.from(jwt).toString("base64"),
    });
    const claims = this.#akeyless.logins.at(-1)?.claims ?? {};
    return { namespace: String(claims.namespace), account: String(claims.service_account_name), pod: claims.pod_name };
  }

  async #vaultLogin({ token: { vault } }: GatewayOutputs["authConfigs"], jwt: string): Promise<LoggedIn> {
    const role = { bound_service_account_names: [accounts.caller], bound_service_account_namespaces: [demoNamespace] };
    for (const [path, data] of Object.entries({ config: vault, "role/demo": role })) {
      const { error } = await this.#vault.write(path, data);
      if (error) throw new Error(`${path}: ${error}`);
    }
    const { error, metadata } = await this.#vault.login("demo", jwt);
    if (error || !metadata) throw new Error(`login: ${error}`);
    return { namespace: String(metadata.service_account_namespace), account: String(metadata.service_account_name) };
  }

  /** Calls the API as the account's owner. */
  #owner(api: "public" | "api/v2", command: string, body: object): Promise<Record<string, unknown>> {
    const session = { ...body, token: this.#akeyless.session() };
    return post(`${this.#akeyless.url}/${api}/${command}`, this.#akeyless.caPem, session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#akeyless[Symbol.asyncDispose](), this.#vault[Symbol.asyncDispose]()]);
  }
}

/** The workload that a gateway reports as logged in. */
interface LoggedIn {
  readonly namespace: string;
  readonly account: string;
  readonly pod?: unknown;
}

async function login(gateway: string, logIn: () => Promise<LoggedIn>): Promise<Finding> {
  const claim = `A workload logs in at ${gateway}`;
  try {
    const { namespace, account, pod } = await logIn();
    const seen = `${namespace}/${account}${typeof pod === "string" ? `, in the pod "${pod}"` : ""}`;
    return { claim, holds: namespace === demoNamespace && account === accounts.caller, seen };
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
