import { describe, expect, test } from "vitest";
import { judge, passed, unknown } from "./judge.ts";

const rbac = "kubernetes:rbac.authorization.k8s.io/v1:";
const clusterRoleBinding = `${rbac}ClusterRoleBinding`;
const account = { kind: "ServiceAccount", name: "gateway-token-reviewer", namespace: "gateways" };

function binding(role: string, ...subjects: object[]) {
  return { type: clusterRoleBinding, props: { roleRef: { kind: "ClusterRole", name: role }, subjects } };
}

describe("no-cluster-admin", () => {
  test("refuses a binding to cluster-admin, also by a RoleBinding and a patch", () => {
    expect(judge("no-cluster-admin", binding("cluster-admin", account)).violations).toEqual([
      expect.stringMatching(/^It binds the role cluster-admin\. Bind a role .* See https:/),
    ]);
    for (const kind of ["RoleBinding", "RoleBindingPatch", "ClusterRoleBindingPatch"]) {
      const { props } = binding("cluster-admin");
      expect(judge("no-cluster-admin", { type: rbac + kind, props }).violations).toHaveLength(1);
    }
  });

  test.each(["admin", "edit", "system:controller:token-cleaner", "system:node"])(
    "refuses %s in the whole cluster, and not in a namespace",
    (role) => {
      expect(judge("no-cluster-admin", binding(role, account)).violations).toEqual([
        expect.stringContaining(`It binds the role ${role} in the whole cluster.`),
      ]);
      const { props } = binding(role, account);
      expect(judge("no-cluster-admin", { type: `${rbac}RoleBinding`, props })).toEqual(passed);
    },
  );

  test("accepts all other roles, and its settings add further ones", () => {
    for (const role of ["view", "system:auth-delegator"])
      expect(judge("no-cluster-admin", binding(role, account))).toEqual(passed);
    for (const setting of ["roles", "clusterRoles"])
      expect(judge("no-cluster-admin", binding("ops-root"), { [setting]: ["ops-*"] }).violations).toHaveLength(1);
  });

  test("does not pass an unknown role", () => {
    expect(judge("no-cluster-admin", binding(unknown, account))).toEqual({ ...passed, unknown: true });
  });
});

describe("no-broad-subjects", () => {
  const broad = ["system:masters", "system:authenticated", "system:unauthenticated"].map((name) => ({
    kind: "Group",
    name,
  }));

  const accounts = ["system:serviceaccounts", "system:serviceaccounts:gateways"].map((name) => ({
    kind: "Group",
    name,
  }));

  test.each([...broad, ...accounts, { kind: "User", name: "system:anonymous" }])("refuses $kind $name", (subject) => {
    const { violations } = judge("no-broad-subjects", binding("view", account, subject));
    expect(violations).toEqual([expect.stringContaining(`It binds ${subject.kind} ${subject.name}.`)]);
  });

  test("accepts ServiceAccounts, and the user's own users and groups", () => {
    const subjects = [account, { kind: "User", name: "system:masters" }, { kind: "Group", name: "team" }];
    expect(judge("no-broad-subjects", binding("view", ...subjects))).toEqual(passed);
  });

  test("finds a violation after an unknown value, and reports the unknown value", () => {
    const verdict = judge("no-broad-subjects", binding("view", { kind: "Group", name: unknown }, ...broad));
    expect(verdict).toMatchObject({ violations: { length: 3 }, unknown: true });
  });

  test("ignores the name of an account", () => {
    expect(judge("no-broad-subjects", binding("view", { ...account, name: unknown }))).toEqual(passed);
  });
});

test("no-default-account refuses the default ServiceAccount, also as a User, and no other", () => {
  const asUser = { kind: "User", name: "system:serviceaccount:shop:default" };
  for (const subject of [{ ...account, name: "default" }, asUser])
    expect(judge("no-default-account", binding("view", subject)).violations).toHaveLength(1);
  expect(judge("no-default-account", binding("view", account, { kind: "User", name: "default" }))).toEqual(passed);
  expect(judge("no-default-account", binding("view", { ...account, name: unknown })).unknown).toBe(true);
});

describe("reviewer-binding", () => {
  test.each(["system:auth-delegator", "gateway-token-reviewer-1a2b3c4d", "gateway-client-certificate-0f"])(
    "takes a reviewer with the role %s",
    (role) => {
      expect(judge("reviewer-binding", binding(role, account))).toEqual(passed);
    },
  );

  test("refuses a reviewer with another role, both a ServiceAccount and a certificate's user", () => {
    const user = { kind: "User", name: "gateway-token-reviewer-prod" };
    const accountAsUser = { kind: "User", name: "system:serviceaccount:gateways:gateway-token-reviewer" };
    expect(judge("reviewer-binding", binding("view", account, user, accountAsUser)).violations).toEqual([
      expect.stringMatching(/ServiceAccount gateways\/gateway-token-reviewer to the role view/),
      expect.stringMatching(/User gateway-token-reviewer-prod to the role view/),
      expect.stringMatching(/User system:serviceaccount:gateways:gateway-token-reviewer to the role view/),
    ]);
  });

  test("ignores bindings of other subjects", () => {
    expect(judge("reviewer-binding", binding("view", { ...account, name: "reader" }))).toEqual(passed);
  });

  test("knows other names from its settings", () => {
    const config = { reviewers: ["my-*"], roles: ["my-role"] };
    expect(
      judge("reviewer-binding", binding("view", { ...account, name: "my-gateway" }), config).violations,
    ).toHaveLength(1);
    expect(judge("reviewer-binding", binding("my-role", { ...account, name: "my-gateway" }), config)).toEqual(passed);
  });

  test("does not pass unknown values of either side", () => {
    expect(judge("reviewer-binding", binding(unknown, account)).unknown).toBe(true);
    expect(judge("reviewer-binding", binding("view", { ...account, name: unknown })).unknown).toBe(true);
  });
});

function role(rules: unknown, { kind = "ClusterRole", name = "gateway-token-reviewer", metadata = {} } = {}) {
  return { type: rbac + kind, name, props: { rules, metadata } };
}

const review = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };

describe("reviewer-role", () => {
  test("accepts reviews, and the reads that products need", () => {
    const access = { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] };
    const consul = { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get"] };
    expect(judge("reviewer-role", role([review, access, consul]))).toEqual(passed);
  });

  test.each([
    ["another verb", { ...review, verbs: ["create", "delete"] }],
    ["another resource", { ...review, resources: ["tokenreviews", "selfsubjectreviews"] }],
    ["Secrets", { apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    ["a list of what may be read", { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }],
    ["paths", { nonResourceURLs: ["/metrics"], verbs: ["get"] }],
  ])("refuses %s", (_what, rule) => {
    const { violations } = judge("reviewer-role", role([review, rule]));
    expect(violations).toEqual([expect.stringContaining("rules[1] is more than a review.")]);
  });

  test("judges Roles too, and recognizes an object's name", () => {
    const secrets = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }];
    expect(judge("reviewer-role", role(secrets, { kind: "Role" })).violations).toHaveLength(1);
    const metadata = { name: "gateway-token-reviewer-x" };
    expect(judge("reviewer-role", role(secrets, { name: "x", metadata })).violations).toHaveLength(1);
  });

  test("refuses a role that aggregates others", () => {
    const props = { aggregationRule: { clusterRoleSelectors: [{}] } };
    const aggregated = { type: `${rbac}ClusterRole`, name: "gateway-token-reviewer", props };
    for (const rule of ["reviewer-role", "no-escalation-rights"]) {
      expect(judge(rule, aggregated).violations).toEqual([expect.stringContaining("aggregates ClusterRoles")]);
    }
  });

  test("ignores roles of other names, and does not pass unknown values", () => {
    const secrets = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }];
    expect(judge("reviewer-role", role(secrets, { name: "reader" }))).toEqual(passed);
    expect(judge("reviewer-role", role(unknown)).unknown).toBe(true);
    expect(judge("reviewer-role", role([{ ...review, verbs: [unknown] }])).unknown).toBe(true);
  });
});

describe("reviewer-named", () => {
  const token = (props: object) => ({ type: "k8sauth:index:ReviewerToken", props });

  test("reports a reviewer that the other rules do not know", () => {
    expect(judge("reviewer-named", token({ serviceAccountName: "mine" })).violations).toHaveLength(1);
    expect(judge("reviewer-named", token({ serviceAccountName: "gateway-token-reviewer" }))).toEqual(passed);
    expect(judge("reviewer-named", token({ serviceAccountName: unknown })).unknown).toBe(true);
  });

  test("ignores users that are not reviewers", () => {
    expect(judge("reviewer-named", token({ serviceAccountName: "reader", proof: "self" }))).toEqual(passed);
  });

  test("checks the names of the component's certificates only", () => {
    const type = "tls:index/certRequest:CertRequest";
    const props = { subject: { commonName: "mine" } };
    const urn = `urn:pulumi:dev::k8sauth::k8sauth:index:ClientCertificate$${type}::gateway-client-certificate`;
    expect(judge("reviewer-named", { type, props, urn }).violations).toHaveLength(1);
    expect(judge("reviewer-named", { type, props })).toEqual(passed);
  });
});

describe("no-wildcard-rules", () => {
  test.each(["apiGroups", "resources", "verbs", "nonResourceURLs"])("refuses one in %s", (field) => {
    const { violations } = judge(
      "no-wildcard-rules",
      role([review, { ...review, [field]: ["x", "*"] }], { kind: "Role" }),
    );
    expect(violations).toEqual([expect.stringContaining(`rules[1].${field} has a wildcard.`)]);
  });

  test("accepts rules without wildcards, and exempt roles", () => {
    expect(judge("no-wildcard-rules", role([review]))).toEqual(passed);
    expect(judge("no-wildcard-rules", role([{ ...review, verbs: ["*"] }]), { exempt: ["gateway-*"] })).toEqual(passed);
  });

  test("finds a violation beside unknown values", () => {
    expect(
      judge("no-wildcard-rules", role([{ ...review, verbs: [unknown, "*"], resources: [unknown] }])),
    ).toMatchObject({
      violations: { length: 1 },
      unknown: true,
    });
  });
});

describe("no-escalation-rights", () => {
  const rule = (group: string, resource: string, ...verbs: string[]) => ({
    apiGroups: [group],
    resources: [resource],
    verbs,
  });

  test.each([
    ["bind", rule("rbac.authorization.k8s.io", "clusterroles", "bind")],
    ["escalate", rule("rbac.authorization.k8s.io", "roles", "escalate")],
    ["impersonate", rule("", "users", "impersonate")],
    ["impersonate with further fields", rule("authentication.k8s.io", "userextras/scopes", "impersonate")],
    ["impersonate some fields", rule("authentication.k8s.io", "users", "impersonate:user-info")],
    ["impersonate for some requests", rule("", "pods", "impersonate-on:user-info:list")],
    ["create Secrets", rule("", "secrets", "create")],
    ["make tokens", rule("", "serviceaccounts/token", "create")],
    ["approve requests", rule("certificates.k8s.io", "certificatesigningrequests/approval", "update")],
    ["approve for a signer", rule("certificates.k8s.io", "signers", "approve")],
    ["read all Secrets", rule("", "secrets", "list")],
    ["create pods", rule("", "pods", "create")],
    ["change Deployments", rule("apps", "deployments", "patch")],
    ["run commands in pods", rule("", "pods/exec", "get")],
    ["reach the kubelets", rule("", "nodes/proxy", "get")],
    ["change webhooks", rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "update")],
    ["do everything with a resource", rule("", "serviceaccounts/token", "*")],
  ])("refuses a role that may %s", (_what, refused) => {
    expect(judge("no-escalation-rights", role([review, refused])).violations).toEqual([
      expect.stringContaining("rules[1]"),
    ]);
  });

  test.each([
    ["bind a role", rule("rbac.authorization.k8s.io", "clusterroles", "bind"), "cluster-admin"],
    ["impersonate a group", rule("", "groups", "impersonate"), "system:masters"],
    ["replace a Secret", rule("", "secrets", "update"), "settings"],
    ["approve for a signer", rule("certificates.k8s.io", "signers", "approve"), "kubernetes.io/kube-apiserver-client"],
    ["create tokens of an account", rule("", "serviceaccounts/token", "create"), "deployer"],
  ])("refuses a role that may %s by its name", (_what, refused, name) => {
    const named = { ...refused, resourceNames: [name] };
    expect(judge("no-escalation-rights", role([named])).violations).toHaveLength(1);
    expect(judge("no-escalation-rights", role([named]), { exempt: ["gateway-*"] })).toEqual(passed);
  });

  test("accepts named Secrets, Secrets and pods of one namespace, and other verbs", () => {
    const named = { ...rule("", "secrets", "get"), resourceNames: ["settings"] };
    const others = [
      rule("", "serviceaccounts", "create"),
      rule("certificates.k8s.io", "certificatesigningrequests", "update"),
    ];
    expect(judge("no-escalation-rights", role([review, named, ...others]))).toEqual(passed);
    const ofNamespace = [rule("", "secrets", "get"), rule("", "pods", "create"), rule("", "pods/exec", "create")];
    expect(judge("no-escalation-rights", role(ofNamespace, { kind: "Role" }))).toEqual(passed);
  });

  test("does not pass unknown verbs", () => {
    expect(judge("no-escalation-rights", role([rule("", "users", unknown)])).unknown).toBe(true);
  });
});
