import { afterAll, beforeAll, expect, test } from "vitest";
import { Wording } from "../../../provider/protocol/inputNames.ts";
import { inputNames } from "../../../stack/settings/schema.ts";
import { Plugin } from "../../support/plugin/plugin.ts";

let plugin: Plugin;

beforeAll(async () => {
  plugin = await Plugin.start();
});

afterAll(() => plugin?.[Symbol.asyncDispose]());

test("a check's failures have the names that the program gave, and its own names without any", async () => {
  const inputs = { host: "https://127.0.0.1:6443" };
  const names = { "Cluster.host": "shop:apiServer", "Cluster.allowLoopback": "shop:loopback" };
  const { failures: own } = await plugin.check("k8sauth:index:Cluster", inputs);
  expect(own).toEqual([{ property: "host", reason: expect.stringMatching(/^CLUSTER_HOST_LOOPBACK: .*Set "host" to/) }]);
  await plugin.configure({ inputNames: names });
  const { failures } = await plugin.check("k8sauth:index:Cluster", inputs);
  expect(failures).toEqual([
    {
      property: "",
      reason: expect.stringMatching(
        /^shop:apiServer: CLUSTER_HOST_LOOPBACK: .*Set shop:apiServer to .*, or set shop:loopback to true if/,
      ),
    },
  ]);
});

test("a child of a component has the name for that component, and the resource's own name in it", () => {
  const names = {
    "ReviewerToken.renewBefore": "shop:renew",
    "User$ReviewerToken.renewBefore": "shop:users.{name}.renew",
  };
  const urn = (types: string) => `urn:pulumi:dev::shop::${types}::reader`;
  const text = 'The value of "renewBefore" is longer than "renewBefore[0].x" and "other".';
  expect(new Wording(names, urn("x:index:User$k8sauth:index:ReviewerToken")).text(text)).toBe(
    'The value of shop:users.reader.renew is longer than shop:users.reader.renew[0].x and "other".',
  );
  expect(new Wording(names, urn("k8sauth:index:ReviewerToken")).nameOf("renewBefore")).toBe("shop:renew");
  expect(new Wording({}, urn("k8sauth:index:ReviewerToken")).text(text)).toBe(text);
});

test("the settings are named for inputs that exist", async () => {
  const { resources } = (await plugin.schema()) as {
    resources: Record<string, { inputProperties: Record<string, unknown> }>;
  };
  const unknown = Object.keys(inputNames).filter((key) => {
    const [, type = "", input = ""] = /^(?:\w+\$)?(\w+)\.(\w+)$/.exec(key) ?? [];
    // A cluster's certificate requests have inputs of the certificates.
    const types = type === "Cluster" ? [type, "SignedCertificate"] : [type];
    return types.every((one) => resources[`k8sauth:index:${one}`]?.inputProperties[input] === undefined);
  });
  expect(unknown).toEqual([]);
  expect(inputNames).toMatchObject({
    "Cluster.host": "k8sauth:kubernetesHost",
    "BearerTokenUser$ReviewerToken.renewBefore": "k8sauth:bearerTokenUsers.{name}.tokenRenewBefore",
  });
});
