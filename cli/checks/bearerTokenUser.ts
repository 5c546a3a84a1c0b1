import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient, loadConnection, pathFor } from "../../kubernetes/index.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { checkAccountRights, withCheckAccount } from "./checkAccount.ts";
import { ifPermitted } from "./permitted.ts";
import { forbidden } from "./report.ts";

/** A rule of RBAC, as roles and reviews have it. */
interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A user as the stack's outputs tell of them. */
export interface BearerTokenUser {
  readonly name: string;
  readonly subject: string;
  readonly namespace: string;
  readonly scope: "namespace" | "cluster";
  readonly rules?: readonly Rule[];
  readonly clusterRole?: string;
  /** Of this user. */
  readonly kubeconfig: string;
}

/** A namespace that every cluster has. A user's permissions should not apply there by accident. */
const elsewhere = "kube-system";

const rbacGroup = "rbac.authorization.k8s.io";

/**
 * Proves a bearer-token user with their own kubeconfig: what the rules grant works, and the rest is forbidden. An
 * account without rights, created for the check and deleted again, shows what every user may do. A deployer who may not do both gets a
 * finding that says so instead.
 */
export async function checkBearerTokenUser(user: BearerTokenUser, deployer: KubeClient): Promise<Finding[]> {
  using client = new KubeClient(await loadConnection({ kubeconfig: user.kubeconfig }, {}));
  const { name, namespace, scope, clusterRole } = user;
  const known = await isKnown(user, client);
  if (!known.holds) return [known];
  // A role of the cluster's own names much that a namespace does not have, or that nothing serves.
  const tried = listable(user.rules ?? []);
  const findings = [known, ...(await Promise.all(tried.map((list) => lists(user, list, client))))];
  const claim = `${name} may do what the rules say, and nothing else`;
  const readsRole = { verb: "get", group: rbacGroup, resource: "clusterroles", name: clusterRole };
  const rights = [...checkAccountRights(namespace), ...(user.rules ? [] : [readsRole])];
  const prove = () => mayDoOnlyThat(user, client, deployer);
  findings.push(...(await ifPermitted(deployer, { claim, rights, prove })));
  if (scope === "namespace" && namespace !== elsewhere) {
    const path = pathFor("v1", "Secret", elsewhere);
    findings.push(
      await forbidden(`${name} reads no Secrets in ${elsewhere}`, () => client.get(path, { query: { limit: 1 } })),
    );
  }
  return findings;
}

/** Compares the rights of a user with the rules, without those that every user has. */
async function mayDoOnlyThat(user: BearerTokenUser, client: KubeClient, deployer: KubeClient): Promise<Finding[]> {
  const { name, namespace, scope } = user;
  const rules = user.rules ?? (await rulesOf(user.clusterRole ?? "", deployer));
  const granted = new Set(rules.flatMap(singleRights));
  const nobody = await rightsOfNobody(deployer, client, [namespace, elsewhere]);
  const here = without(await rightsIn(namespace, client), nobody.get(namespace));
  const lacking = [...granted].filter((right) => !here.has(right));
  const findings = [
    {
      claim: `${name} may do in namespace ${namespace} what the rules say`,
      holds: lacking.length === 0,
      seen: lacking.length === 0 ? `${granted.size} rights` : `lacks ${lacking.join(", ")}`,
    },
    nothingElse(`${name} may do nothing else in namespace ${namespace}`, without(here, granted)),
  ];
  if (namespace !== elsewhere) {
    const there = without(await rightsIn(elsewhere, client), nobody.get(elsewhere));
    const surplus = scope === "cluster" ? without(there, granted) : there;
    findings.push(nothingElse(`${name} may do nothing ${scope === "cluster" ? "else " : ""}in ${elsewhere}`, surplus));
  }
  return findings;
}

async function isKnown({ name, subject }: BearerTokenUser, client: KubeClient): Promise<Finding> {
  const claim = `The API server knows ${name} by their token`;
  try {
    const { username = "" } = (await reviewSelf(client)) ?? {};
    return { claim, holds: username === subject, seen: `as ${username}` };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

async function rulesOf(clusterRole: string, deployer: KubeClient): Promise<readonly Rule[]> {
  const path = pathFor(`${rbacGroup}/v1`, "ClusterRole", undefined, clusterRole);
  return (await deployer.get<{ rules?: readonly Rule[] }>(path)).rules ?? [];
}

/** Each right by itself, as `VERB GROUP/RESOURCE`, with the name of the one object that the rule names, if any. */
function singleRights({ apiGroups = [""], resources = [], resourceNames, verbs }: Rule): string[] {
  const names = resourceNames?.length ? resourceNames.map((name) => ` "${name}"`) : [""];
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => names.map((name) => `${verb} ${group && `${group}/`}${resource}${name}`)),
    ),
  );
}

/** All that the client's user may do in a namespace, by the API server's own list. */
async function rightsIn(namespace: string, client: KubeClient): Promise<Set<string>> {
  const apiVersion = "authorization.k8s.io/v1";
  const kind = "SelfSubjectRulesReview";
  const { status } = await client.create<{ status?: { resourceRules?: readonly Rule[] } }>(pathFor(apiVersion, kind), {
    apiVersion,
    kind,
    spec: { namespace },
  });
  return new Set((status?.resourceRules ?? []).flatMap(singleRights));
}

async function rightsOfNobody(
  deployer: KubeClient,
  { connection: { server, caPem } }: KubeClient,
  namespaces: readonly [string, string],
): Promise<ReadonlyMap<string, Set<string>>> {
  return withCheckAccount(deployer, namespaces[0], async (account) => {
    const token = await account.token("");
    using nobody = KubeClient.direct({ server, caPem, token, label: "an account without rights" });
    const found = namespaces.map(async (namespace) => [namespace, await rightsIn(namespace, nobody)] as const);
    return new Map(await Promise.all(found));
  });
}

function without(rights: ReadonlySet<string>, others: ReadonlySet<string> = new Set()): Set<string> {
  return new Set([...rights].filter((right) => !others.has(right)));
}

function nothingElse(claim: string, surplus: ReadonlySet<string>): Finding {
  return { claim, holds: surplus.size === 0, seen: surplus.size === 0 ? "no other right" : [...surplus].join(", ") };
}

interface Listable {
  readonly group: string;
  readonly resource: string;
}

/** Rights that can be tried without a change: lists of whole resources. */
function listable(rules: readonly Rule[]): Listable[] {
  return rules
    .filter(({ verbs, resourceNames }) => verbs.includes("list") && !resourceNames?.length)
    .flatMap(({ apiGroups = [""], resources = [] }) =>
      apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource }))),
    )
    .filter(({ group, resource }) => group !== "*" && !/[*/]/.test(resource));
}

async function lists({ name, namespace }: BearerTokenUser, list: Listable, client: KubeClient): Promise<Finding> {
  const { group, resource } = list;
  const claim = `${name} lists ${resource}${group && `.${group}`} in namespace ${namespace}`;
  try {
    const root = group === "" ? "/api/v1" : `/apis/${await preferredVersion(group, client)}`;
    const { resources } = await client.get<{ resources: readonly { name: string; namespaced: boolean }[] }>(root);
    const found = resources.find((served) => served.name === resource);
    if (!found) return { claim, holds: true, seen: "the cluster does not serve it" };
    const inside = found.namespaced ? `/namespaces/${namespace}` : "";
    const { items } = await client.get<{ items?: readonly unknown[] }>(`${root}${inside}/${resource}`, {
      query: { limit: 500 },
    });
    return { claim, holds: true, seen: `${items?.length ?? 0} objects` };
  } catch (error) {
    return { claim, holds: false, seen: (error as Error).message };
  }
}

async function preferredVersion(group: string, client: KubeClient): Promise<string> {
  const found = await client.get<{ preferredVersion: { groupVersion: string } }>(`/apis/${group}`);
  return found.preferredVersion.groupVersion;
}
