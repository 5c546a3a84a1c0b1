import { isKubeError, isUnreachable, KubeError } from "../../kubernetes/errors.ts";
import { caCertificates } from "../../kubernetes/kubeconfig/caCertificates.ts";
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
import { caFailures, knownTarget, takesCaFromServer } from "./gatewayTarget.ts";
import { caFingerprint } from "./identity.ts";
import { preflight } from "./preflight.ts";
import { failUnlessOffline, quickTimeoutMs, rememberTimeout } from "./reachability.ts";
import { describeName, namesInUse, type ReservedName } from "./reservedNames.ts";
import { oldServerWarning } from "./serverVersion.ts";

const listDefaults = {
  caRequiredBy: [],
  signerNames: [],
  rights: [],
  reservedNames: [],
  requiredObjects: [],
  plannedObjects: [],
  certificateRequests: [],
} as const;
const flagDefaults = { allowLoopback: false, proveHost: true, trustOnFirstUse: false } as const;

/** The cluster of the stack: host, CA, issuer and version, and the checks that keep an `up` from failing half-way. */
export const cluster: Resource<ClusterInputs, ClusterOutputs> = {
  type: "k8sauth:index:Cluster",
  inputs: clusterInputs,
  outputs: clusterOutputs,

  async check({ known }) {
    return [
      ...(await requestFailures(known.certificateRequests ?? [])),
      ...failuresOf("host", () => {
        if (known.host === undefined) return;
        const host = gatewayHost(known.host);
        if (known.allowLoopback === false) refuseLocalHost(host);
      }),
      ...failuresOf("caPem", () => {
        if (known.caPem !== undefined) caCertificates(known.caPem, '"caPem"');
      }),
      ...caFailures(known),
      ...(known.rights ?? []).flatMap((right, index) =>
        (right.resource === undefined) === (right.nonResourcePath === undefined)
          ? [{ property: "rights", reason: `rights[${index}] needs either "resource" or "nonResourcePath".` }]
          : [],
      ),
      ...duplicates(known.reservedNames ?? []).map((name) => ({
        property: "reservedNames",
        reason: `lists ${describeName(name)} twice: two resources would share one object. Give one of them another name.`,
      })),
    ];
  },

  async create(inputs, context) {
    const facts = await preflight(inputs, [], context);
    warnOfOldServer(facts, context);
    return { id: facts.uid, outputs: { ...facts, reservedNames: inputs.reservedNames ?? [] } };
  },

  async previewCreate(inputs, context) {
    const reservedNames = inputs.unknown.has("reservedNames") ? undefined : (inputs.known.reservedNames ?? []);
    const offline = await offlineFacts(inputs, context);
    const facts = await boundedPreflight(inputs, [], context);
    const outputs: Partial<ClusterOutputs> = { ...offline, ...facts, reservedNames };
    return facts === undefined ? { outputs } : { id: facts.uid, outputs };
  },

  async diff(state, inputs, context) {
    const changes: Record<string, "update"> = {};
    for (const name of ["host", "caPem", "caPin", "trustOnFirstUse", "reservedNames"] as const) {
      const [before, after] = [state.inputs[name] ?? defaultOf(name), inputs.known[name] ?? defaultOf(name)];
      if (inputs.unknown.has(name) || !same(before, after)) changes[name] = "update";
    }
    const facts = await boundedPreflight(inputs, state.outputs.reservedNames ?? [], context, state);
    if (facts !== undefined) {
      for (const name of ["host", "caPem", "issuer", "issuerNote", "jwks", "version", "distribution"] as const) {
        if (!same(facts[name], state.outputs[name])) changes[name] = "update";
      }
    }
    return changes;
  },

  async update(state, inputs, context) {
    const facts = await preflight(inputs, state.outputs.reservedNames ?? [], context, state);
    return { ...facts, uid: state.id, reservedNames: await reservedNamesOf(inputs, state, context) };
  },

  async previewUpdate(state, inputs, context) {
    const reservedNames = inputs.unknown.has("reservedNames") ? undefined : (inputs.known.reservedNames ?? []);
    const offline = await offlineFacts(inputs, context);
    const facts = await boundedPreflight(inputs, state.outputs.reservedNames ?? [], context, state, false);
    return { id: state.id, outputs: { ...offline, ...facts, uid: state.id, reservedNames } };
  },

  async read(state, context) {
    const inputs: Inputs<ClusterInputs> = {
      // A refresh reads the facts. The next `up` checks rights, names and objects.
      known: {
        ...flagDefaults,
        ...state.inputs,
        ...listDefaults,
        ...(takesCaFromServer(state.inputs) && storedCa(state)),
        proveHost: false,
      },
      unknown: new Set(),
    };
    const imported = state.outputs.uid === undefined;
    const facts = imported
      ? await preflight(inputs.known as ClusterInputs, [], context, state)
      : await boundedPreflight(inputs, [], context, state);
    const { reservedNames = [], caSource = facts?.caSource } = state.outputs;
    return { id: state.id, outputs: { ...state.outputs, ...facts, caSource, uid: state.id, reservedNames } };
  },
};

/**
 * The names to record in the state: the wanted ones, and earlier ones whose objects still exist. Pulumi deletes those at the end of the
 * `up`. If the `up` fails before, the stack still owns the objects and may use the names again.
 */
async function reservedNamesOf(
  inputs: ClusterInputs,
  { outputs }: ClusterState,
  context: Context,
): Promise<ReservedName[]> {
  const wanted = inputs.reservedNames ?? [];
  const dropped = (outputs.reservedNames ?? []).filter((old) => !wanted.some((name) => same(name, old)));
  if (dropped.length === 0) return [...wanted];
  using client = await context.deployer.client(context);
  return [...wanted, ...(await namesInUse(client, dropped))];
}

/** Names that the list has more than once. */
function duplicates(names: readonly ReservedName[]): ReservedName[] {
  return names.filter((name, index) => names.findIndex((other) => same(other, name)) < index);
}

function defaultOf(name: string): unknown {
  if (name === "trustOnFirstUse") return false;
  return name === "reservedNames" ? [] : undefined;
}

function failuresOf(property: string, work: () => void): CheckFailure[] {
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

/** Inputs with the CA of the state. A refresh does not read another one from the host. */
function storedCa({ outputs }: ClusterState): Partial<ClusterInputs> {
  return { caPin: undefined, trustOnFirstUse: false, caPem: outputs.caPem };
}

/**
 * The preflight of a preview, `diff` or refresh, with a short timeout. Undefined if host or CA is unknown. Undefined too if the cluster cannot be
 * reached and the resource is new or the provider's `offline` is "warn".
 */
async function boundedPreflight(
  inputs: Inputs<ClusterInputs>,
  ours: readonly ReservedName[],
  context: Context,
  state?: ClusterState,
  warn = true,
): Promise<ClusterFacts | undefined> {
  const isTargetUnknown = ["host", "caPem", "caPin"].some((name) => inputs.unknown.has(name));
  if (isTargetUnknown) return undefined;
  try {
    const facts = await preflight(
      { ...flagDefaults, ...listDefaults, ...inputs.known },
      ours,
      context,
      state,
      quickTimeoutMs,
    );
    if (warn) warnOfOldServer(facts, context);
    return facts;
  } catch (error) {
    if (!isOutOfReach(error, context)) throw error;
    rememberTimeout(state?.outputs.host ?? "", error);
    const what = "The cluster was not checked.";
    if (state !== undefined && warn) failUnlessOffline(what, error, context);
    else if (warn) context.log.warn(`${what} ${(error as Error).message}`);
    return undefined;
  }
}

/** Warns of an old server, in every run until the cluster is upgraded. */
function warnOfOldServer({ version }: ClusterFacts, { log }: Context): void {
  const warning = oldServerWarning(version);
  if (warning !== undefined) log.warn(warning);
}

function isOutOfReach(error: unknown, { deployer }: Context): boolean {
  if (isUnreachable(error)) return true;
  // A machine without a kubeconfig can preview. A kubeconfig that was named must exist.
  return isKubeError(error, "KUBECONFIG_NOT_FOUND") && !deployer.named;
}

/** Facts from the kubeconfig alone, for a preview without a cluster. */
async function offlineFacts(inputs: Inputs<ClusterInputs>, context: Context): Promise<Partial<ClusterOutputs>> {
  const isTargetUnknown = ["host", "caPem", "allowLoopback"].some((name) => inputs.unknown.has(name));
  if (isTargetUnknown) return {};
  try {
    const { host, caPem } = knownTarget(inputs.known, await context.deployer.connection(context));
    return caPem === undefined ? { host } : { host, caPem, caFingerprint: caFingerprint(caPem) };
  } catch (error) {
    if (isOutOfReach(error, context)) return {};
    throw error;
  }
}
