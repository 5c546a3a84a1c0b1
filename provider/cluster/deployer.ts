import type { Agent } from "node:https";
import { KubeClient } from "../../kubernetes/client.ts";
import type { Connection } from "../../kubernetes/connection.ts";
import { isKubeError, isUnreachable, KubeError, type KubeErrorCode } from "../../kubernetes/errors.ts";
import { looksLikeContent } from "../../kubernetes/kubeconfig/kubeconfig.ts";
import { loadConnection } from "../../kubernetes/kubeconfig/loadConnection.ts";
import { authenticatedUser } from "../../kubernetes/reviews.ts";
import { agentFor } from "../../kubernetes/transport/transport.ts";
import type { CheckFailure, Fields, Inputs } from "../protocol/fields.ts";
import type { InputNames } from "../protocol/inputNames.ts";
import type { Operation } from "../protocol/operation.ts";
import { type Offline, quickTimeoutMs } from "./reachability.ts";

/** Configuration of a provider: the credentials that all of its resources are deployed with. */
export interface DeployerConfig {
  /** A path or the content. @default KUBECONFIG, ~/.kube/config, then the account of the pod */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly offline: Offline;
  readonly inputNames?: InputNames;
}

export const deployerFields: Fields = {
  kubeconfig: { type: "string", secret: true },
  context: { type: "string" },
  offline: { type: "string", default: "fail" },
  inputNames: { type: "map" },
};

/** Reports what is wrong with a configuration beyond its types. */
export function checkDeployer({ known }: Pick<Inputs<DeployerConfig>, "known">): CheckFailure[] {
  const { offline, inputNames = {} } = known;
  const wrongOffline = offline !== undefined && offline !== "fail" && offline !== "warn";
  const wrongNames = Object.values(inputNames).some((name: unknown) => typeof name !== "string");
  return [
    ...(wrongOffline
      ? [{ property: "offline", reason: `"offline" is ${JSON.stringify(offline)}; expected "fail" or "warn".` }]
      : []),
    ...(wrongNames ? [{ property: "inputNames", reason: '"inputNames" must be an object of strings.' }] : []),
  ];
}

/** Where a configuration comes from. */
export interface DeployerOrigin {
  /** Whether a preview does not know all of it yet. */
  readonly unknown: boolean;
  /** Whether it was read from the state and not passed by the program. */
  readonly fromState: boolean;
}

/** Codes of errors that other credentials or another kubeconfig may fix. */
const credentialErrors: readonly KubeErrorCode[] = [
  "KUBE_UNAUTHORIZED",
  "KUBE_ANONYMOUS",
  "KUBE_TLS_UNTRUSTED",
  "KUBE_TLS_NAME",
];

/** The deployer of one provider: all of its resources reach the cluster with the same credentials and connections. */
export class Deployer {
  readonly #config: Partial<DeployerConfig>;
  readonly #origin: DeployerOrigin;
  #agent: Agent | undefined;
  #stale: Promise<void> | undefined;

  constructor(config: Partial<DeployerConfig> = {}, origin: DeployerOrigin = { unknown: false, fromState: false }) {
    const { kubeconfig, context } = config;
    this.#config = { ...config, kubeconfig: kubeconfig?.trim() || undefined, context: context?.trim() || undefined };
    this.#origin = origin;
  }

  get inputNames(): InputNames {
    return this.#config.inputNames ?? {};
  }

  get offline(): Offline {
    return this.#config.offline ?? "fail";
  }

  /** Whether a preview does not know the configuration yet. No request can be sent then. */
  get unknown(): boolean {
    return this.#origin.unknown;
  }

  /** Whether the configuration names a kubeconfig, which must then exist. */
  get named(): boolean {
    return this.#config.kubeconfig !== undefined;
  }

  /** Finds the API server and the credentials. @throws KubeError KUBECONFIG_* */
  connection(operation: Operation): Promise<Connection> {
    const { kubeconfig, context: name } = this.#config;
    return loadConnection({ kubeconfig, context: name, exec: { onLine: operation.log.info } }, operation.env);
  }

  /**
   * Opens a client. The operation's signal cancels its requests. The caller closes it. Its connections stay open for the next resource: Node.js
   * separates those to different servers and with different CAs and certificates.
   */
  async client(operation: Operation, timeoutMs?: number): Promise<KubeClient> {
    const connection = await this.connection(operation);
    // The environment's proxies are the same for all resources. A proxy of the kubeconfig is not shared.
    this.#agent ??= agentFor({ ...connection, proxyAgent: undefined });
    return new KubeClient(connection, { agent: this.#agent, signal: operation.signal, timeoutMs });
  }

  /** If the configuration comes from the state, adds this to an error that it may have caused. Returns other errors unchanged. */
  withOrigin(error: unknown): unknown {
    const { kubeconfig, context } = this.#config;
    if (!this.#origin.fromState || (kubeconfig === undefined && context === undefined)) return error;
    if (!isKubeError(error)) return error;
    if (!error.code.startsWith("KUBECONFIG_") && !credentialErrors.includes(error.code) && !isUnreachable(error))
      return error;
    const { code, message, status, reason, serverMessage } = error;
    const parts = [
      ...(kubeconfig === undefined ? [] : [looksLikeContent(kubeconfig) ? "kubeconfig" : `kubeconfig ${kubeconfig}`]),
      ...(context === undefined ? [] : [`context "${context}"`]),
    ];
    const remedy =
      "If they are outdated, repeat the command with --run-program (or PULUMI_RUN_PROGRAM=true in the environment): it then uses the stack's current settings.";
    return new KubeError(
      code,
      `${message} The state provided the ${parts.join(" and the ")}, as the last up saved them.`,
      {
        remedy,
        status,
        reason,
        serverMessage,
      },
    );
  }

  /**
   * Warns once if the credentials come from the state and do not work. For deletions: the Kubernetes provider deletes most objects with the same
   * credentials, and its errors do not state where these come from.
   */
  warnIfStale(operation: Operation): Promise<void> {
    if (!this.#origin.fromState) return Promise.resolve();
    this.#stale ??= this.#tryCredentials(operation);
    return this.#stale;
  }

  async #tryCredentials(operation: Operation): Promise<void> {
    try {
      using client = await this.client(operation, quickTimeoutMs);
      await authenticatedUser(client);
    } catch (error) {
      const explained = this.withOrigin(error);
      if (explained !== error) operation.log.warn((explained as Error).message);
    }
  }
}
