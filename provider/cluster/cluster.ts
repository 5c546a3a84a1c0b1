import { isKubeError, isUnreachable, KubeError } from "../../kubernetes/errors.ts";
import { certificates } from "../../kubernetes/kubeconfig/pem.ts";
import { requestFailures } from "../certificate/suppliedRequest.ts";
import { ProviderError } from "../protocol/errors.ts";
import { type CheckFailure, type Inputs, same } from "../protocol/fields.ts";
import type { Context, Resource } from "../protocol/resource.ts";
import {
  type ClusterFacts,
  type ClusterInputs,
  type ClusterOutputs,
  type ClusterState,
  clusterInputs,
  clusterOutputs,
} from "./clusterFields.ts";
import { gatewayHost, refuseLocalHost } from "./gatewayHost.ts";
import { caFailures, knownTarget, probes } from "./gatewayTarget.ts";
import { failUnlessOffline, glanceMs, noteSilence } from "./glance.ts";
import { caFingerprint, describeName, inUse, type ReservedName } from "./preflight.ts";
import { oldServerWarning } from "./serverVersion.ts";
import { survey } from "./survey.ts";

const lists = {
  caRequiredBy: [],
  signerNames: [],
  rights: [],
  reservedNames: [],
  requiredObjects: [],
  plannedObjects: [],
  certificateRequests: [],
} as const;
const flags = { allowLoopback: false, proveHost: true, trustOnFirstUse: false } as const;

/** The cluster of the stack: found, proved, and checked for everything that could stop an `up` half-way. */
export const cluster: Resource<ClusterInputs, ClusterOutputs> = {
  type: "k8sauth:index:Cluster",
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
      ...repeated(known.reservedNames ?? []).map((name) => ({
        property: "reservedNames",
        reason: `lists ${describeName(name)} twice: two resources would share one object. Give one of them another name.`,
      })),
    ];
  },

  async create(inputs, context) {
    const facts = await survey(inputs, [], context);
    warnOfOldServer(facts, context);
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
    return { ...facts, uid: state.id, reservedNames: await ownNames(inputs, state, context) };
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

/**
 * Objects of names that are no longer asked for go at the end of the `up`. If it fails before, the stack still has them, and
 * may ask for their names again.
 */
async function ownNames(inputs: ClusterInputs, { outputs }: ClusterState, context: Context): Promise<ReservedName[]> {
  const wanted = inputs.reservedNames ?? [];
  const dropped = (outputs.reservedNames ?? []).filter((old) => !wanted.some((name) => same(name, old)));
  if (dropped.length === 0) return [...wanted];
  using client = await context.deployer.client(context);
  return [...wanted, ...(await inUse(client, dropped))];
}

/** Names that stand in the list more than once. */
function repeated(names: readonly ReservedName[]): ReservedName[] {
  return names.filter((name, index) => names.findIndex((other) => same(other, name)) < index);
}

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

/** The CA that was taken from the host before: a refresh does not take another. */
function taken({ outputs }: ClusterState): Partial<ClusterInputs> {
  return { caPin: undefined, trustOnFirstUse: false, caPem: outputs.caPem };
}

/**
 * The survey of a preview, `diff` or refresh: bounded. Undefined for a cluster that cannot be reached, if nothing exists in it or the
 * provider's `offline` says so.
 */
async function glance(
  inputs: Inputs<ClusterInputs>,
  ours: readonly ReservedName[],
  context: Context,
  state?: ClusterState,
  warn = true,
): Promise<ClusterFacts | undefined> {
  const blind = ["host", "caPem", "caPin"].some((name) => inputs.unknown.has(name));
  if (blind) return undefined;
  try {
    const facts = await survey({ ...flags, ...lists, ...inputs.known }, ours, context, state, glanceMs);
    if (warn) warnOfOldServer(facts, context);
    return facts;
  } catch (error) {
    if (!outOfReach(error, context)) throw error;
    noteSilence(state?.outputs.host ?? "", error);
    const what = "The cluster was not checked.";
    if (state !== undefined && warn) failUnlessOffline(what, error, context);
    else if (warn) context.log.warn(`${what} ${(error as Error).message}`);
    return undefined;
  }
}

/** What a server may do otherwise than the tests expect is said on every run: upgrades come later than stacks. */
function warnOfOldServer({ version }: ClusterFacts, { log }: Context): void {
  const warning = oldServerWarning(version);
  if (warning !== undefined) log.warn(warning);
}

function outOfReach(error: unknown, { deployer }: Context): boolean {
  if (isUnreachable(error)) return true;
  // A machine without any kubeconfig can preview; one that was named must be there.
  return isKubeError(error, "KUBECONFIG_NOT_FOUND") && !deployer.named;
}

/** What the kubeconfig alone says, for a preview without a cluster. */
async function offlineFacts(inputs: Inputs<ClusterInputs>, context: Context): Promise<Partial<ClusterOutputs>> {
  const blind = ["host", "caPem", "allowLoopback"].some((name) => inputs.unknown.has(name));
  if (blind) return {};
  try {
    const { host, caPem } = knownTarget(inputs.known, await context.deployer.connection(context));
    return caPem === undefined ? { host } : { host, caPem, caFingerprint: caFingerprint(caPem) };
  } catch (error) {
    if (outOfReach(error, context)) return {};
    throw error;
  }
}
