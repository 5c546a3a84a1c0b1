import type { Finding } from "../../kubernetes/finding.ts";
import { KubeClient, loadConnection, pathFor } from "../../kubernetes/index.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { checkAccountRights, withCheckAccount } from "./checkAccount.ts";
import { forbidden } from "./forbidden.ts";
import { ifPermitted } from "./permitted.ts";

/** A PolicyRule of RBAC, from a role or from a SelfSubjectRulesReview. */
interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A bearer-token user, from the stack's outputs. */
export interface BearerTokenUser {
  readonly name: string;
  /** User name in reviews. */
  readonly subject: string;
  readonly namespace: string;
  readonly scope: "namespace" | "cluster";
  readonly rules?: readonly Rule[];
  readonly clusterRole?: string;
  /** A kubeconfig with the user's token. Secret. */
  readonly kubeconfig: string;
}

/** A namespace that every cluster has. Proves that the rights of a user in one namespace do not apply in another one. */
const elsewhere = "kube-system";

const rbacGroup = "rbac.authorization.k8s.io";

/**
 * Proves a bearer-token user with their own kubeconfig: the rules are granted, and nothing else. The rights that every user has are not
 * counted. An account without rights shows them, which is created for the check and deleted again. If the deployer may not do that, one
 * finding with the missing rights replaces these proofs.
 */
export async function checkBearerTokenUser(user: BearerTokenUser, deployer: KubeClient): Promise<Finding[]> {
  using client = new KubeClient(await loadConnection({ kubeconfig: user.kubeconfig }, {}));
  const { name, namespace, scope, clusterRole } = user;
  const known = await isKnown(user, client);
  if (!known.holds) return [known];
  // The rules of an existing ClusterRole are not tried: many of its resources are not namespaced, or the cluster does not serve them.
  const tried = listable(user.rules ?? []);
  const findings = [known, ...(await Promise.all(tried.map((resource) => tryList(user, resource, client))))];
  const claim = `${name} may do what the rules say, and nothing else`;
  const readsRole = { verb: "get", group: rbacGroup, resource: "clusterroles", name: clusterRole };
  const rights = [...checkAccountRights(namespace), ...(user.rules ? [] : [readsRole])];
  const prove = () => compareRights(user, client, deployer);
  findings.push(...(await ifPermitted(deployer, { claim, rights, prove })));
  if (scope === "namespace" && namespace !== elsewhere) {
    const path = pathFor("v1", "Secret", elsewhere);
    findings.push(
      await forbidden(`${name} reads no Secrets in ${elsewhere}`, () => client.get(path, { query: { limit: 1 } })),
    );
  }
  return findings;
}

/** Compares the rights of a user with the rules. Rights that every user has are not counted. */
async function compareRights(user: BearerTokenUser, client: KubeClient, deployer: KubeClient): Promise<Finding[]> {
  const { name, namespace, scope } = user;
  const rules = user.rules ?? (await rulesOf(user.clusterRole ?? "", deployer));
  const granted = new Set(rules.flatMap(singleRights));
  const general = await rightsOfEveryUser(deployer, client, [namespace, elsewhere]);
  const here = without(await rightsIn(namespace, client), general.get(namespace));
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
    const there = without(await rightsIn(elsewhere, client), general.get(elsewhere));
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

/** The rights of a rule as `VERB GROUP/RESOURCE`, followed by the quoted name of an object if the rule is limited to names. */
function singleRights({ apiGroups = [""], resources = [], resourceNames, verbs }: Rule): string[] {
  const names = resourceNames?.length ? resourceNames.map((name) => ` "${name}"`) : [""];
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => names.map((name) => `${verb} ${group && `${group}/`}${resource}${name}`)),
    ),
  );
}

/** The rights of the client's user in a namespace, from a SelfSubjectRulesReview. */
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

/** The rights that every user has, by namespace. An account without bindings shows them. */
async function rightsOfEveryUser(
  deployer: KubeClient,
  { connection: { server, caPem } }: KubeClient,
  namespaces: readonly [string, string],
): Promise<ReadonlyMap<string, Set<string>>> {
  return withCheckAccount(deployer, namespaces[0], async (account) => {
    const token = await account.token("");
    using unbound = KubeClient.direct({ server, caPem, token, label: "an account without rights" });
    const found = namespaces.map(async (namespace) => [namespace, await rightsIn(namespace, unbound)] as const);
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

/** The resources that the rules allow to list. A list changes nothing, so it can be tried. */
function listable(rules: readonly Rule[]): Listable[] {
  return rules
    .filter(({ verbs, resourceNames }) => verbs.includes("list") && !resourceNames?.length)
    .flatMap(({ apiGroups = [""], resources = [] }) =>
      apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource }))),
    )
    .filter(({ group, resource }) => group !== "*" && !/[*/]/.test(resource));
}

async function tryList(
  { name, namespace }: BearerTokenUser,
  { group, resource }: Listable,
  client: KubeClient,
): Promise<Finding> {
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
