import { describe, expect, test } from "vitest";
import { covers, diffObjects } from "../../../engine/kubernetes/diff.ts";
import { takenOver } from "../../../engine/kubernetes/managedFields.ts";
import { idOf, isAutonamed, parseId, withNames } from "../../../engine/kubernetes/naming.ts";
import { markSecrets, objectOf, prune } from "../../../engine/kubernetes/objects.ts";
import { refusals } from "../../../engine/kubernetes/refusals.ts";
import { makeUrn } from "../../../engine/urn.ts";
import { isSecret, type Properties, secret, unknown } from "../../../engine/values.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const urn = makeUrn("dev", "test", undefined, "kubernetes:core/v1:ServiceAccount", "reviewer");
const account = (metadata: Properties): Properties => ({ apiVersion: "v1", kind: "ServiceAccount", metadata });
const named = (inputs: Properties, olds?: Properties) => withNames(urn, inputs, olds, "home").metadata as Properties;

describe("a name", () => {
  test("that the program gives is used as it is", () => {
    expect(named(account({ name: "mine" }))).toEqual({ name: "mine", namespace: "home" });
  });

  test("is made up from the logical one where there is none, and the object says so", () => {
    const made = withNames(urn, account({}), undefined, "home");
    expect((made.metadata as Properties).name).toMatch(/^reviewer-[0-9a-f]{8}$/);
    expect(isAutonamed(made)).toBe(true);
  });

  test("that was made up is kept, and one that was given is not", () => {
    const made = withNames(urn, account({}), undefined, "home");
    expect(withNames(urn, account({}), made, "home")).toEqual(made);
    const given = account({ name: "mine", namespace: "home" });
    expect(named(account({}), given).name).not.toBe("mine");
  });

  test("that is not known yet is left alone, and so are unknown annotations", () => {
    expect(named(account({ name: unknown })).name).toBe(unknown);
    expect(named(account({ annotations: unknown })).annotations).toBe(unknown);
  });

  test("is in the default namespace only where the kind is in one", () => {
    expect(named(account({ namespace: "there" })).namespace).toBe("there");
    expect(named(account({ namespace: "" })).namespace).toBe("home");
    const role = { apiVersion: rbac, kind: "ClusterRole", metadata: { name: "r" } };
    expect(named(role)).toEqual({ name: "r" });
    expect(named(account({ name: "a", namespace: unknown })).namespace).toBe(unknown);
  });

  test("and namespace are the id", () => {
    expect(idOf({ name: "a", namespace: "n" })).toBe("n/a");
    expect(idOf({ name: "a" })).toBe("a");
    expect(parseId("n/a")).toEqual({ namespace: "n", name: "a" });
    expect(parseId("a")).toEqual({ name: "a" });
  });
});

describe("an object that asks for what is not carried", () => {
  const refused = (metadata: Properties) => refusals(account(metadata)).map(({ reason }) => reason);

  test.each(["waitFor", "timeoutSeconds", "patchForce", "replaceUnready", "deletionPropagationPolicy"])(
    "by the annotation pulumi.com/%s is refused, not handled as if it had not",
    (name) => {
      expect(refused({ annotations: { [`pulumi.com/${name}`]: "true" } })).toEqual([
        expect.stringContaining(`pulumi.com/${name}`),
      ]);
    },
  );

  test("by generateName is refused", () => {
    expect(refused({ generateName: "mine-" })).toEqual([expect.stringContaining("leave the name out")]);
  });

  test("is told from one with other people's annotations, or with none that is known", () => {
    const annotations = { "pulumi.com/skipAwait": "true", "pulumi.com/autonamed": "true", "example.com/waitFor": "x" };
    expect(refused({ annotations })).toEqual([]);
    expect(refused({ annotations: unknown })).toEqual([]);
    expect(refused({ annotations: secret({ a: "b" }) })).toEqual([]);
    expect(refused({})).toEqual([]);
  });
});

describe("a change", () => {
  const meta = { name: "a", namespace: "n" };
  function diff(kind: string, before: Properties, after: Properties, id = "n/a") {
    const inputs = (more: Properties) => ({ apiVersion: "v1", kind, metadata: meta, ...more });
    return diffObjects({
      urn,
      id,
      oldInputs: inputs(before),
      oldOutputs: {},
      newInputs: inputs(after),
      ignoreChanges: [],
    });
  }

  test.each<[string, Properties, Properties]>([
    ["Secret", { data: { a: "MQ==" } }, { data: { a: "Mg==" } }],
    ["Secret", { stringData: { a: "1" } }, { stringData: { b: "1" } }],
    ["Secret", { type: "Opaque" }, { type: "kubernetes.io/tls" }],
    ["ConfigMap", { data: { a: "1" } }, {}],
    ["ConfigMap", {}, { binaryData: { a: "MQ==" } }],
    ["ClusterRoleBinding", { roleRef: { name: "a" } }, { roleRef: { name: "b" } }],
    ["RoleBinding", { roleRef: { name: "a" } }, { roleRef: { name: unknown } }],
    ["Deployment", { spec: { selector: { matchLabels: { a: "1" } } } }, { spec: { selector: { matchLabels: {} } } }],
    ["Service", { spec: { clusterIP: "10.0.0.5" } }, { spec: { clusterIP: "None" } }],
    ["Namespace", { metadata: meta }, { metadata: { name: "b" } }],
    ["ServiceAccount", { metadata: meta }, { metadata: { name: "a", namespace: "m" } }],
  ])("of a %s that the API server does not take in place replaces: %j", (kind, before, after) => {
    expect(diff(kind, before, after).replaces.length).toBeGreaterThan(0);
  });

  test.each<[string, Properties, Properties]>([
    ["Secret", { metadata: meta }, { metadata: { ...meta, labels: { a: "1" } } }],
    ["ConfigMap", { immutable: false }, { immutable: true }],
    ["ClusterRole", { rules: [{ verbs: ["get"] }] }, { rules: [] }],
    ["Role", { rules: [{ verbs: ["get"] }] }, { rules: [] }],
    ["ClusterRoleBinding", { subjects: [{ name: "a" }] }, { subjects: [{ name: "b" }] }],
    ["Deployment", { spec: { replicas: 1 } }, { spec: { replicas: 2 } }],
    ["NetworkPolicy", { spec: { podSelector: {} } }, { spec: { podSelector: { matchLabels: { a: "1" } } } }],
    ["PodDisruptionBudget", { spec: { minAvailable: 1 } }, { spec: { minAvailable: 2 } }],
    ["ServiceAccount", { automountServiceAccountToken: true }, { automountServiceAccountToken: false }],
  ])("of a %s that can be made in place updates: %j", (kind, before, after) => {
    expect(diff(kind, before, after)).toMatchObject({ changes: true, replaces: [] });
  });

  test("of secretness alone is none", () => {
    expect(diff("Secret", { data: { a: "MQ==" } }, { data: secret({ a: "MQ==" }) }).changes).toBe(false);
  });

  test("is told by its path", () => {
    const { diffs } = diff("Deployment", { spec: { a: { b: 1 }, c: [1] } }, { spec: { a: { b: 2 }, c: [2] } });
    expect(diffs).toEqual(["spec.a.b", "spec.c"]);
  });

  test("that replaces deletes first only where a given name stays", () => {
    const role = (name: string) => ({ roleRef: { name } });
    expect(diff("ClusterRoleBinding", role("a"), role("b")).deleteBeforeReplace).toBe(true);
    const moved = { metadata: { name: "b", namespace: "n" } };
    expect(diff("ServiceAccount", {}, moved).deleteBeforeReplace).toBe(false);
    const autonamed = { metadata: { ...meta, annotations: { "pulumi.com/autonamed": "true" } } };
    expect(diff("ClusterRoleBinding", { ...autonamed, ...role("a") }, { ...autonamed, ...role("b") })).toMatchObject({
      replaces: ["roleRef.name"],
      deleteBeforeReplace: false,
    });
  });
});

describe("a live object", () => {
  const live = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a", uid: "u", labels: { ours: "1", theirs: "2" } },
    data: { token: "dA==" },
    extra: [{ a: 1, b: 2 }, { a: 3 }],
  };

  test("is compared by what the inputs speak of", () => {
    const inputs = { metadata: { name: "a", labels: { ours: "0", gone: "x" } }, extra: [{ a: 1 }] };
    expect(prune(live, inputs)).toEqual({
      metadata: { name: "a", labels: { ours: "1" } },
      extra: [{ a: 1 }, { a: 3 }],
    });
    expect(covers(live, { metadata: { labels: { ours: "1" } } })).toBe(true);
    expect(covers(live, { metadata: { labels: { gone: "x" } } })).toBe(false);
    expect(covers(live, { extra: [{ a: 1 }] })).toBe(false);
    expect(covers(live, { metadata: { annotations: {} } })).toBe(true);
  });

  test("of a Secret keeps its data secret, whatever the inputs say", () => {
    const marked = markSecrets(live, { apiVersion: "v1", kind: "Secret" });
    expect(isSecret(marked.data)).toBe(true);
    expect(isSecret(marked.metadata)).toBe(false);
  });

  test("is secret where the inputs are, and a list with a secret as a whole", () => {
    const inputs = { metadata: { labels: { ours: secret("1") } }, extra: [secret(1)] };
    const marked = markSecrets({ ...live, kind: "ConfigMap" }, inputs);
    expect(marked.metadata).toMatchObject({ labels: { ours: secret("1"), theirs: "2" } });
    expect(isSecret(marked.extra)).toBe(true);
    expect(isSecret(marked.data)).toBe(false);
  });

  test("is sent without marks", () => {
    expect(objectOf({ ...live, data: secret({ token: secret("dA==") }) })).toEqual(live);
    expect(() => objectOf({ kind: "Secret" })).toThrow(/apiVersion/);
  });
});

describe("fields that were set by creation or by hand are handed over", () => {
  const ours = "pulumi-kubernetes-0123abcd";
  const entry = (manager: string, operation: string, fieldsV1: object = {}, more: object = {}) =>
    ({ manager, operation, apiVersion: "v1", fieldsV1, ...more }) as never;

  test.each([
    ["pulumi-kubernetes", "Update"],
    ["kubectl", "Update"],
    ["kubectl-edit", "Update"],
    ["kubectl-label", "Update"],
    ["kubectl", "Apply"],
    ["before-first-apply", "Update"],
  ])("from %s, %s", (manager, operation) => {
    const fields = takenOver([entry(manager, operation, { "f:a": {} })], ours);
    expect(fields).toMatchObject([{ manager: ours, operation: "Apply", fieldsV1: { "f:a": {} } }]);
  });

  test.each([
    ["argocd", "Apply"],
    ["pulumi-kubernetes-ffff0000", "Apply"],
    ["kubectlx", "Update"],
    ["kube-controller-manager", "Update"],
  ])("not from %s, %s", (manager, operation) => {
    expect(takenOver([entry(manager, operation)], ours)).toBeUndefined();
  });

  test("not of a subresource", () => {
    expect(takenOver([entry("kubectl", "Update", {}, { subresource: "status" })], ours)).toBeUndefined();
  });

  test("together with what we own already, and nobody else's", () => {
    const theirs = entry("argocd", "Apply", { "f:x": {} });
    const before = [
      theirs,
      entry(ours, "Apply", { "f:a": { "f:b": {} } }),
      entry("kubectl-edit", "Update", { "f:a": { "f:c": {} } }),
    ];
    const after = takenOver(before, ours);
    expect(after).toHaveLength(2);
    expect(after).toContain(theirs);
    expect(after?.[0]).toMatchObject({ manager: ours, fieldsV1: { "f:a": { "f:b": {}, "f:c": {} } } });
  });
});
