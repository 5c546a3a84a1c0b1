import type { KubeClient } from "../kube/client.ts";
import { loadConnection } from "../kube/config.ts";
import { isKubeError, isUnreachable, KubeError } from "../kube/errors.ts";
import { certificates } from "../kube/pem.ts";
import { type BroughtRequest, requestFailures } from "./broughtRequest.ts";
import { type Deployer, deployerClient, glanceMs, noteSilence } from "./clients.ts";
import { clusterInputs, clusterOutputs } from "./clusterFields.ts";
import { ProviderError } from "./errors.ts";
import { type CheckFailure, type Inputs, same } from "./fields.ts";
import {
  caFailures,
  type GatewayTarget,
  gatewayTarget,
  hostFailure,
  knownTarget,
  probes,
  warnOfFirstUse,
} from "./gatewayTarget.ts";
import { gatewayHost, refuseLocalHost } from "./host.ts";
import {
  caFingerprint,
  caUidPrefix,
  type IssuerFacts,
  proveHost,
  type ReservedName,
  type Right,
  readIssuer,
  readUid,
  readVersion,
  requireFree,
  requireRights,
} from "./preflight.ts";
import { requireThere } from "./presence.ts";
import type { Context, Resource, State } from "./resource.ts";

export interface ClusterInputs extends Deployer {
  readonly host?: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly trustOnFirstUse: boolean;
  readonly allowLoopback: boolean;
  readonly proveHost: boolean;
  readonly rights: readonly Right[];
  readonly reservedNames: readonly ReservedName[];
  readonly requiredObjects: readonly ReservedName[];
  readonly certificateRequests: readonly BroughtRequest[];
}

/** What is found out about the cluster. */
export interface ClusterFacts extends IssuerFacts, GatewayTarget {
  readonly caFingerprint: string;
  readonly version: string;
  readonly distribution: string;
  readonly uid: string;
}

export interface ClusterOutputs extends ClusterFacts {
  readonly reservedNames: readonly ReservedName[];
}

export type ClusterState = State<ClusterInputs, ClusterOutputs>;

const lists = { rights: [], reservedNames: [], requiredObjects: [], certificateRequests: [] } as const;
const flags = { allowLoopback: false, proveHost: true, trustOnFirstUse: false } as const;

/** The cluster of the stack: found, proved, and checked for everything that could stop an `up` half-way. */
export const cluster: Resource<ClusterInputs, ClusterOutputs> = {
  type: "k8sauth:index:Cluster",
  description: "Facts of the cluster, proved before anything is made in it.",
  inputs: clusterInputs,
  outputs: clusterOutputs,

  async check({ known }) {
    return [
      ...(await requestFailures(known.certificateRequests ?? [])),
      ...failure("host", () => {
        if (known.host === undefined) return;
        const host = gatewayHost(known.host);
        if (known.allowLoopback === false) refuseLocalHost(host);
      }),
      ...failure("caPem", () => {
        if (known.caPem !== undefined) certificates(known.caPem, '"caPem"');
      }),
      ...caFailures(known),
      ...(known.rights ?? []).flatMap((right, index) =>
        (right.resource === undefined) === (right.nonResourcePath === undefined)
          ? [{ property: "rights", reason: `rights[${index}] needs either "resource" or "nonResourcePath".` }]
          : [],
      ),
    ];
  },

  async create(inputs, context) {
    const facts = await survey(inputs, [], context);
    return { id: facts.uid, outputs: { ...facts, reservedNames: inputs.reservedNames ?? [] } };
  },

  async previewCreate(inputs, context) {
    const reservedNames = inputs.unknown.has("reservedNames") ? undefined : (inputs.known.reservedNames ?? []);
    const offline = await offlineFacts(inputs, context);
    const facts = await glance(inputs, [], context);
    const outputs: Partial<ClusterOutputs> = { ...offline, ...facts, reservedNames };
    return facts === undefined ? { outputs } : { id: facts.uid, outputs };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update"> = {};
    for (const name of ["host", "caPem", "caPin", "trustOnFirstUse", "reservedNames"] as const) {
      const [before, after] = [state.inputs[name] ?? given(name), inputs.known[name] ?? given(name)];
      if (inputs.unknown.has(name) || !same(before, after)) changes[name] = "update";
    }
    const facts = await glance(inputs, state.outputs.reservedNames ?? [], context, state);
    if (facts !== undefined) {
      for (const name of ["host", "caPem", "issuer", "issuerNote", "jwks", "version", "distribution"] as const) {
        if (!same(facts[name], state.outputs[name])) changes[name] = "update";
      }
    }
    return changes;
  },

  async update(state, inputs, context) {
    const facts = await survey(inputs, state.outputs.reservedNames ?? [], context, state);
    return { ...facts, uid: state.id, reservedNames: inputs.reservedNames ?? [] };
  },

  async previewUpdate(state, inputs, context) {
    const reservedNames = inputs.unknown.has("reservedNames") ? undefined : (inputs.known.reservedNames ?? []);
    const offline = await offlineFacts(inputs, context);
    const facts = await glance(inputs, state.outputs.reservedNames ?? [], context, state, false);
    return { id: state.id, outputs: { ...offline, ...facts, uid: state.id, reservedNames } };
  },

  async read(state, context) {
    const inputs: Inputs<ClusterInputs> = {
      // A refresh looks; what the next `up` would need is for that to check.
      known: { ...flags, ...state.inputs, ...lists, ...(probes(state.inputs) && taken(state)), proveHost: false },
      unknown: new Set(),
    };
    const imported = state.outputs.uid === undefined;
    const facts = imported
      ? await survey(inputs.known as ClusterInputs, [], context, state)
      : await glance(inputs, [], context, state);
    const { reservedNames = [], caSource = facts?.caSource } = state.outputs;
    return { id: state.id, outputs: { ...state.outputs, ...facts, caSource, uid: state.id, reservedNames } };
  },
};

function given(name: string): unknown {
  if (name === "trustOnFirstUse") return false;
  return name === "reservedNames" ? [] : undefined;
}

function failure(property: string, work: () => void): CheckFailure[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof ProviderError || error instanceof KubeError) {
      return [{ property, reason: `${error.code}: ${error.message}` }];
    }
    throw error;
  }
}

/** Finds out and checks everything, at the same time; of several failures the most basic is thrown. */
async function survey(
  inputs: ClusterInputs,
  ours: readonly ReservedName[],
  context: Context,
  state?: ClusterState,
  timeoutMs = context.timeoutMs ?? 15_000,
): Promise<ClusterFacts> {
  using client = await deployerClient(inputs, context, timeoutMs);
  const target = await gatewayTarget(inputs, client.connection, context, Math.min(timeoutMs, 5_000), state);
  const names = (inputs.reservedNames ?? []).filter((name) => !ours.some((own) => same(own, name)));
  const proof = inputs.proveHost && !provedAnyway(client, target) ? target : undefined;
  const [version, uid, host, issuer, rights, free, there] = await Promise.allSettled([
    readVersion(client),
    identify(client, target.caPem, context, state),
    proof && proveHost(proof.host, proof.caPem, Math.min(timeoutMs, 5_000), context.signal),
    readIssuer(client),
    requireRights(client, inputs.rights ?? []),
    requireFree(client, names),
    requireThere(client, inputs.requiredObjects ?? []),
  ]);
  const fingerprint = caFingerprint(target.caPem);
  for (const result of [version, uid, host, rights, there, free, issuer]) {
    if (result.status === "fulfilled") continue;
    throw result === host ? await hostFailure(result.reason, target, fingerprint, context) : result.reason;
  }
  if (state?.outputs.caPem !== target.caPem) warnOfFirstUse(target, fingerprint, context);
  return {
    ...target,
    caFingerprint: fingerprint,
    ...settled(version),
    uid: settled(uid),
    ...knownIssuer(settled(issuer), state),
  };
}

/** The CA that was taken from the host before: a refresh does not take another. */
function taken({ outputs }: ClusterState): Partial<ClusterInputs> {
  return { caPin: undefined, trustOnFirstUse: false, caPem: outputs.caPem };
}

/** A deployer who may not ask learns nothing new: what was found out before stays. */
function knownIssuer(found: IssuerFacts & { readonly forbidden: boolean }, state?: ClusterState): IssuerFacts {
  const { forbidden, ...facts } = found;
  const { issuer, issuerNote = "", jwks = "" } = state?.outputs ?? {};
  return forbidden && issuer ? { issuer, issuerNote, jwks } : facts;
}

/** The deployer's own requests went to the very same place with the very same trust. */
function provedAnyway(client: KubeClient, target: { host: string; caPem: string }): boolean {
  const { server, caPem, tlsServerName, proxyAgent, env } = client.connection;
  const direct = tlsServerName === undefined && proxyAgent === undefined && !(env.HTTPS_PROXY || env.https_proxy);
  return direct && server === target.host && caPem === target.caPem;
}

function settled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** The cluster's identity. A stack belongs to one cluster: another one is refused. */
async function identify(client: KubeClient, caPem: string, context: Context, state?: ClusterState): Promise<string> {
  const uid = await readUid(client, caPem);
  const before = state?.id;
  if (uid === undefined) {
    if (before !== undefined) return before;
    throw new ProviderError(
      "CLUSTER_OTHER",
      `The cluster at ${client.connection.server} cannot be identified: namespace kube-system may not be read, and there is no CA.`,
      'Grant get on namespace kube-system, or set "caPem".',
    );
  }
  const byCa = uid.startsWith(caUidPrefix);
  if (byCa && !before) {
    context.log.warn("Namespace kube-system may not be read: the cluster is identified by the hash of its CA instead.");
  }
  // A hash of the CA changes when the CA does, and says nothing beside a UID.
  if (before === undefined || before === uid || byCa || before.startsWith(caUidPrefix)) return before ?? uid;
  throw new ProviderError(
    "CLUSTER_OTHER",
    `This stack belongs to the cluster ${before}, and the kubeconfig (context "${client.connection.context}", ${client.connection.server}) leads to the cluster ${uid}.`,
    "Choose the kubeconfig or context of the stack's cluster; for the other cluster use a stack of its own. If the cluster was made anew, destroy this stack, or remove it, first.",
  );
}

/** The survey where it is not needed to go on: bounded, and a cluster that cannot be asked is a warning. */
async function glance(
  inputs: Inputs<ClusterInputs>,
  ours: readonly ReservedName[],
  context: Context,
  state?: ClusterState,
  warn = true,
): Promise<ClusterFacts | undefined> {
  const blind = ["kubeconfig", "context", "host", "caPem", "caPin"].some((name) => inputs.unknown.has(name));
  if (blind) return undefined;
  try {
    return await survey({ ...flags, ...lists, ...inputs.known }, ours, context, state, glanceMs);
  } catch (error) {
    if (!outOfReach(error, inputs)) throw error;
    noteSilence(state?.outputs.host ?? "", error);
    if (warn) context.log.warn(`The cluster was not checked. ${(error as Error).message}`);
    return undefined;
  }
}

function outOfReach(error: unknown, inputs: Inputs<ClusterInputs>): boolean {
  if (isUnreachable(error)) return true;
  // A machine without any kubeconfig can preview; one that was named must be there.
  return isKubeError(error, "KUBECONFIG_NOT_FOUND") && !inputs.known.kubeconfig;
}

/** What the kubeconfig alone says, for a preview without a cluster. */
async function offlineFacts(inputs: Inputs<ClusterInputs>, context: Context): Promise<Partial<ClusterOutputs>> {
  const blind = ["kubeconfig", "context", "host", "caPem", "allowLoopback"].some((name) => inputs.unknown.has(name));
  if (blind) return {};
  try {
    const { host, caPem } = knownTarget(inputs.known, await loadConnection(inputs.known, context.env));
    return caPem === undefined ? { host } : { host, caPem, caFingerprint: caFingerprint(caPem) };
  } catch (error) {
    if (outOfReach(error, inputs)) return {};
    throw error;
  }
}
