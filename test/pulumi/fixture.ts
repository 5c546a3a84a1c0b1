import { afterAll, afterEach, beforeAll, inject } from "vitest";
import type { Value } from "../../engine/index.ts";
import type { KubeClient } from "../../kube/index.ts";
import { TestStack } from "../support/stack.ts";
import { Cli, operations } from "./cli.ts";
import { clusterClient, ourObjects, sweep } from "./objects.ts";

/** Every object of the token flow, once. */
export const tokenFlow = {
  Namespace: 1,
  ServiceAccount: 1,
  Secret: 1,
  ClusterRole: 1,
  ClusterRoleBinding: 1,
};

/** Every flow that needs no node, and every product. */
export const everything = {
  audience: "gateway",
  certificateFlow: true,
  certificateKeyType: "P256",
  rotation: { current: "b", previous: ["a"] },
  tokenMode: "tokenRequest",
  products: ["consul", "infisical", "spire"],
  bearerTokenUsers: {
    reader: {
      namespace: "shop",
      createNamespace: true,
      rules: [{ resources: ["pods", "pods/log"], verbs: ["get", "list"] }],
    },
    viewer: {
      namespace: "view",
      createNamespace: true,
      clusterRole: "view",
      scope: "cluster",
      tokenMode: "tokenRequest",
    },
  },
};

/** What stands for a value that is not known yet, in the protocol of both engines. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** One stack, and the two engines that work on it. */
export interface BothEngines extends AsyncDisposable {
  /** The embedded engine. */
  readonly stack: TestStack;
  /** The Pulumi CLI. */
  readonly cli: Cli;
}

/** Registers the hooks of a test file that uses the cluster; answers what its tests work with. */
export function useCluster() {
  let client: KubeClient;
  beforeAll(async () => {
    client = await clusterClient(inject("kubeconfig"));
  });
  afterEach(() => sweep(client));
  afterAll(() => client.close());
  return {
    get client(): KubeClient {
      return client;
    },
    objects: () => ourObjects(client),
    /** A stack of the repository's program that has its settings and nothing else yet. */
    async make(name: string, config: Record<string, Value> = {}): Promise<BothEngines> {
      const stack = await TestStack.make(name, {
        kubeconfig: inject("kubeconfig"),
        allowLoopbackHost: true,
        akeylessAccessId: "p-0123456789ab",
        akeylessGatewayUrl: "https://gateway.example:8000",
        ...config,
      });
      return { stack, cli: new Cli(stack), [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
    },
  };
}

/** What the embedded engine did or would do, in the words of the CLI's operations. */
export function embeddedSteps(stack: TestStack): string[] {
  const done = stack.events.flatMap((event) => (event.kind === "step" && event.state === "done" ? [event] : []));
  return operations(done.map(({ operation, urn }) => ({ op: operation, urn })));
}

/** The engines by name, so that a test may have them change places. */
export type EngineName = "embedded" | "cli";

/** What an engine did, or would do, as `operation Type`. */
export const engines: Readonly<
  Record<EngineName, Record<"up" | "preview" | "refresh" | "destroy", (both: BothEngines) => Promise<string[]>>>
> = {
  embedded: {
    up: ({ stack }) => stack.up().then(() => embeddedSteps(stack)),
    preview: ({ stack }) => stack.preview().then(() => embeddedSteps(stack)),
    refresh: ({ stack }) => stack.refresh().then(() => embeddedSteps(stack)),
    destroy: ({ stack }) => stack.destroy().then(() => embeddedSteps(stack)),
  },
  cli: {
    up: ({ cli }) => cli.up().then(({ steps }) => steps),
    preview: ({ cli }) => cli.preview().then(({ steps }) => steps),
    refresh: ({ cli }) => cli.refresh().then(({ steps }) => steps),
    destroy: ({ cli }) => cli.destroy().then(({ steps }) => steps),
  },
};

/** Who makes a stack, and who takes it over. */
export const bothWays: readonly (readonly [EngineName, EngineName])[] = [
  ["embedded", "cli"],
  ["cli", "embedded"],
];
