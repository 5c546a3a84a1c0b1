import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { destroy, refresh, update } from "../../engine/index.ts";
import type { KubeClient } from "../../kube/index.ts";
import { TestStack } from "../support/stack.ts";
import { Cli } from "./cli.ts";
import { embeddedSteps } from "./fixture.ts";
import { clusterClient, ourObjects } from "./objects.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "program");

/** Both engines on a program whose objects change in place. */
class Alternating implements AsyncDisposable {
  readonly stack: TestStack;
  readonly cli: Cli;

  constructor(stack: TestStack) {
    this.stack = stack;
    this.cli = new Cli(stack, folder);
  }

  static async make(name: string): Promise<Alternating> {
    return new Alternating(await TestStack.make(name, { kubeconfig: inject("kubeconfig"), labels: { step: "0" } }));
  }

  async embedded(preview = false): Promise<string[]> {
    await update({ ...this.stack.options(), folder, preview });
    return embeddedSteps(this.stack);
  }

  async refresh(): Promise<void> {
    await refresh({ ...this.stack.options(), folder, preview: false });
  }

  async live(client: KubeClient): Promise<{ labels: unknown; verbs: unknown; managers: string[] }> {
    const { names } = (await this.stack.outputs()) as { names: { namespace: string; role: string } };
    const namespace = await client.get(`/api/v1/namespaces/${names.namespace}`);
    const role = await client.get<{ rules: { verbs: string[] }[] }>(
      `/apis/rbac.authorization.k8s.io/v1/namespaces/${names.namespace}/roles/${names.role}`,
    );
    const { "kubernetes.io/metadata.name": _, ...labels } = namespace.metadata?.labels ?? {};
    const entries = (namespace.metadata?.managedFields ?? []) as { manager: string; operation: string }[];
    const ours = entries.filter(({ manager }) => manager.startsWith("pulumi-kubernetes"));
    return {
      labels,
      verbs: role.rules[0]?.verbs,
      managers: ours.map(({ manager, operation }) => `${operation} ${manager.replace(/[0-9a-f]{8}$/, "ID")}`),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await destroy({ ...this.stack.options(), folder, preview: false }).catch(() => {});
    await this.stack[Symbol.asyncDispose]();
  }
}

const allChange = ["update Namespace", "update Role", "update ServiceAccount"];
const applied = ["Apply pulumi-kubernetes-ID"];
let client: KubeClient;

beforeAll(async () => {
  client = await clusterClient(inject("kubeconfig"));
});
afterAll(() => client.close());

describe("engines that take turns on the same objects", () => {
  test("embedded, CLI, embedded, CLI: labels and rules change in place without a conflict", async () => {
    await using both = await Alternating.make("turns");
    const { stack, cli } = both;
    await both.embedded();
    await stack.configure({ labels: { step: "1", cli: "yes" } });
    expect(await cli.up()).toEqual({ steps: allChange, diagnostics: [] });
    expect(await both.live(client)).toEqual({ labels: { step: "1", cli: "yes" }, verbs: ["get"], managers: applied });

    await stack.configure({ labels: { step: "2" }, verbs: ["get", "list"] });
    expect(await both.embedded()).toEqual(allChange);
    expect(await both.live(client)).toEqual({ labels: { step: "2" }, verbs: ["get", "list"], managers: applied });

    await stack.configure({ labels: { step: "3" }, verbs: ["list"] });
    expect(await cli.up()).toEqual({ steps: allChange, diagnostics: [] });
    expect(await both.live(client)).toEqual({ labels: { step: "3" }, verbs: ["list"], managers: applied });

    await cli.previewNothing();
    expect(await both.embedded(true)).toEqual([]);
    expect((await cli.destroy()).diagnostics).toEqual([]);
    expect(await ourObjects(client)).toEqual([]);
  });

  test("CLI, embedded, CLI: what one engine's label set the other takes away", async () => {
    await using both = await Alternating.make("removal");
    const { stack, cli } = both;
    await cli.init();
    await cli.up();
    await stack.configure({ labels: { step: "1", embedded: "yes" } });
    expect(await both.embedded()).toEqual(allChange);
    await stack.configure({ labels: {} });
    expect(await cli.up()).toEqual({ steps: allChange, diagnostics: [] });
    expect(await both.live(client)).toMatchObject({ labels: {}, managers: applied });
    expect(await both.embedded(true)).toEqual([]);
  });

  test("a refresh by either engine shows drift of the same fields, and the other's update heals it", async () => {
    await using both = await Alternating.make("drift");
    const { stack, cli } = both;
    await both.embedded();
    const { names } = (await stack.outputs()) as { names: { namespace: string } };
    const path = `/api/v1/namespaces/${names.namespace}`;
    const drift = (step: string) =>
      client.request("PATCH", `${path}?fieldManager=kubectl-label`, {
        body: { metadata: { labels: { step } } },
        contentType: "application/merge-patch+json",
      });
    await drift("drifted");
    expect((await cli.refresh()).steps).toEqual(["update Namespace"]);
    expect(await both.embedded()).toEqual(["update Namespace"]);
    expect(await both.live(client)).toMatchObject({ labels: { step: "0" } });

    await drift("drifted-again");
    await both.refresh();
    expect(embeddedSteps(stack)).toEqual(["update Namespace"]);
    expect(await cli.up()).toEqual({ steps: ["update Namespace"], diagnostics: [] });
    expect(await both.live(client)).toMatchObject({ labels: { step: "0" } });
  });
});

test.each(["embedded", "cli"])(
  "a destruction by %s spares a protected object with its namespace, and nothing else",
  async (engine) => {
    await using both = await Alternating.make("protected");
    const { stack, cli } = both;
    await stack.configure({ protect: true });
    await both.embedded();
    const destroyed =
      engine === "embedded"
        ? destroy({ ...stack.options(), folder, preview: false }).then(() => "", String)
        : cli.run(["destroy", ...cli.options, "--yes", "--skip-preview"], { status: 1 }).then(({ stdout }) => stdout);
    expect(await destroyed).toMatch(/Role::reader.*protected|"?reader"? cannot be deleted/s);
    expect((await ourObjects(client)).map((object) => object.split(" ")[0])).toEqual(["Namespace", "Role"]);
    await stack.configure({ protect: false });
    expect(await both.embedded()).toEqual(["create ServiceAccount"]);
    expect((await cli.destroy()).diagnostics).toEqual([]);
    expect(await ourObjects(client)).toEqual([]);
  },
);
