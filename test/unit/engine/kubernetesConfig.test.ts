import { describe, expect, test } from "vitest";
import { checkProviderConfig, configOf, diffProviderConfig } from "../../../engine/kubernetes/config.ts";
import { type Properties, secret, unknown } from "../../../engine/values.ts";
import { ca } from "../gateways/fixtures.ts";

function kubeconfig(server: string, user: string): string {
  return JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name: "u", user: { token: user } }],
  });
}

const one = secret(kubeconfig("https://one.example.com", "x"));
const oneOtherUser = secret(kubeconfig("https://one.example.com", "y"));
const two = secret(kubeconfig("https://two.example.com", "x"));

const diff = (oldInputs: Properties, newInputs: Properties) =>
  diffProviderConfig({ urn: "", id: "", oldInputs, oldOutputs: {}, newInputs, ignoreChanges: [] }, {});

test("settings that would be ignored are refused by name", () => {
  const { failures } = checkProviderConfig({
    urn: "",
    olds: undefined,
    news: { kubeconfig: one, enableServerSideApply: "true", helmReleaseSettings: "{}", version: "4.34.2", context: 1 },
  });
  expect(failures.map(({ property }) => property).sort()).toEqual([
    "context",
    "enableServerSideApply",
    "helmReleaseSettings",
  ]);
});

test("empty settings are none, secret ones are laid open", () => {
  expect(configOf({ kubeconfig: secret("text"), context: "", namespace: "n", version: "1" })).toEqual({
    kubeconfig: "text",
    namespace: "n",
  });
});

describe("a provider moves to another cluster, and everything on it with it,", () => {
  test.each<[string, Properties, Properties]>([
    ["when its identifier changes", { clusterIdentifier: "1" }, { clusterIdentifier: "2" }],
    ["when its identifier is not known yet", { clusterIdentifier: "1" }, { clusterIdentifier: unknown }],
    ["when, without one, the server changes", { kubeconfig: one }, { kubeconfig: two }],
    ["when, without one, the kubeconfig is not known yet", { kubeconfig: one }, { kubeconfig: unknown }],
  ])("%s", async (_what, before, after) => {
    expect((await diff(before, after)).replaces.length).toBe(1);
  });
});

describe("a provider stays on its cluster", () => {
  test.each<[string, Properties, Properties]>([
    ["when only the credentials change", { kubeconfig: one }, { kubeconfig: oneOtherUser }],
    [
      "with its identifier, though the server changes",
      { clusterIdentifier: "1", kubeconfig: one },
      { clusterIdentifier: "1", kubeconfig: two },
    ],
    [
      "with its identifier, though the kubeconfig is not known yet",
      { clusterIdentifier: "1", kubeconfig: one },
      { clusterIdentifier: "1", kubeconfig: unknown },
    ],
    ["when it gets an identifier", { kubeconfig: one }, { kubeconfig: one, clusterIdentifier: "1" }],
    ["when it had no kubeconfig before", {}, { kubeconfig: one }],
    ["when the kubeconfig can't be read any more", { kubeconfig: one }, { kubeconfig: "/nowhere" }],
  ])("%s", async (_what, before, after) => {
    expect(await diff(before, after)).toMatchObject({ changes: true, replaces: [] });
  });

  test("when nothing changes but the version or secretness", async () => {
    const before = { kubeconfig: one, version: "4.34.2" };
    expect((await diff(before, { kubeconfig: one.value, version: "4.35.0", __internal: {} })).changes).toBe(false);
  });
});
