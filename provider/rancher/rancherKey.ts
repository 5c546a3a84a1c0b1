import { KubeClient } from "../../kubernetes/client.ts";
import { probeServer } from "../../kubernetes/cluster/probe.ts";
import { isUnreachable } from "../../kubernetes/errors.ts";
import { caCertificates } from "../../kubernetes/kubeconfig/caCertificates.ts";
import { pinDigest, pinnedCa, rancherCaPath } from "../cluster/caPin.ts";
import { gatewayHost, refuseLocalHost } from "../cluster/gatewayHost.ts";
import { caFingerprint } from "../cluster/identity.ts";
import { failUnlessOffline, quickTimeoutMs } from "../cluster/reachability.ts";
import { isProviderError, ProviderError } from "../protocol/errors.ts";
import { type CheckFailure, type Fields, type Inputs, same } from "../protocol/fields.ts";
import type { Context, Resource, State } from "../protocol/resource.ts";
import { type KeyFacts, proveKey, readKeyFacts } from "./rancherProof.ts";

export interface RancherKeyInputs {
  readonly server: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly apiKey: string;
  readonly clusterId: string;
  readonly clusterUid?: string;
  readonly allowLoopback: boolean;
  readonly proveHost: boolean;
}

export interface RancherKeyOutputs extends KeyFacts {
  readonly server: string;
  readonly caPem: string;
  readonly caFingerprint: string;
  readonly caSource: "given" | "pin" | "public";
  readonly clusterId: string;
}

type KeyState = State<RancherKeyInputs, RancherKeyOutputs>;

const server = { type: "string", required: true } as const;
const clusterId = { type: "string", required: true } as const;

const inputFields: Fields = {
  server,
  caPem: { type: "string" },
  caPin: { type: "string" },
  apiKey: { type: "string", required: true, secret: true },
  clusterId,
  clusterUid: { type: "string" },
  allowLoopback: { type: "boolean", default: false },
  proveHost: { type: "boolean", default: true },
};

const outputFields: Fields = {
  server,
  caPem: { type: "string" },
  caFingerprint: { type: "string" },
  caSource: { type: "string" },
  clusterId,
  keyName: { type: "string" },
  keySha256: { type: "string" },
  notAfter: { type: "string" },
};

/** An API key of Rancher with which a gateway reviews tokens of one cluster. A review proves it. The outputs do not contain it. */
export const rancherKey: Resource<RancherKeyInputs, RancherKeyOutputs> = {
  type: "k8sauth:index:RancherKey",
  inputs: inputFields,
  outputs: outputFields,

  check({ known }) {
    const failures: CheckFailure[] = [];
    const fail = (property: string, reason: string) => failures.push({ property, reason });
    if (known.server !== undefined) {
      try {
        const host = gatewayHost(known.server);
        if (known.allowLoopback === false) refuseLocalHost(host);
      } catch (error) {
        if (!isProviderError(error)) throw error;
        fail("server", `${error.code}: ${error.message}`);
      }
    }
    const { caPem, caPin, proveHost, apiKey } = known;
    if (apiKey !== undefined && !/^[\w.-]+:[\w.-]+$/.test(apiKey))
      fail("apiKey", '"apiKey" is not the bearer token of a Rancher API key: expected NAME:SECRET.');
    if (caPin !== undefined && pinDigest(caPin) === undefined)
      fail("caPin", '"caPin" is not a SHA-256: expected 64 hexadecimal digits, with or without colons, or base64.');
    if (caPem !== undefined && caPin !== undefined) fail("caPin", '"caPem" and "caPin" are set. Set only one of them.');
    if (caPin !== undefined && proveHost === false)
      fail("proveHost", '"proveHost" is false, but the CA is read from the server: set "caPem".');
    return failures;
  },

  async create(inputs, context) {
    const outputs = await prove(inputs, context, context.timeoutMs ?? 15_000);
    return { id: `${outputs.server}/${outputs.clusterId}`, outputs };
  },

  async previewCreate(inputs, context) {
    return {
      outputs: (await boundedProof(inputs, "new", context)) ?? (knownOutputs(inputs) as Partial<RancherKeyOutputs>),
    };
  },

  // A key that no longer works fails the run: the plugin cannot create another one, and the gateway refuses every workload.
  async diff(state, inputs, context) {
    const changes: Record<string, "update"> = {};
    for (const name of ["server", "caPem", "caPin", "apiKey", "clusterId", "clusterUid"] as const) {
      if (inputs.unknown.has(name) || !same(inputs.known[name], state.inputs[name])) changes[name] = "update";
    }
    const found = await boundedProof(inputs, "existing", context);
    for (const name of ["caPem", "notAfter"] as const) {
      if (found !== undefined && found[name] !== state.outputs[name]) changes[name] = "update";
    }
    return changes;
  },

  async previewUpdate(state, inputs, context) {
    return {
      id: state.id,
      outputs:
        (await boundedProof(inputs, "existing", context)) ?? (knownOutputs(inputs) as Partial<RancherKeyOutputs>),
    };
  },

  update: (_state, inputs, context) => prove(inputs, context, context.timeoutMs ?? 15_000),

  // A refresh does not try the key: it is the user's own, and the plugin cannot create another one. The next `up` tries it.
  async read(state: KeyState) {
    if (state.inputs.apiKey === undefined) {
      throw new ProviderError(
        "RANCHER_NOT_IMPORTABLE",
        "A RancherKey cannot be imported: Rancher shows a key once, when it is created.",
        "Declare it in the program and run up.",
      );
    }
    return { id: state.id, outputs: state.outputs };
  },
};

/** Outputs that follow from the inputs alone. */
function knownOutputs({ known }: Inputs<RancherKeyInputs>) {
  const { server: given, clusterId: id, caPem } = known;
  return {
    server: given === undefined ? undefined : gatewayHost(given),
    clusterId: id,
    ...(caPem === undefined ? {} : { caPem: caCertificates(caPem, '"caPem"') }),
  };
}

/**
 * The proof of a preview or `diff`, with a short timeout. Undefined if the server cannot be reached and the resource is new or the provider's
 * `offline` is "warn".
 */
async function boundedProof(
  inputs: Inputs<RancherKeyInputs>,
  resource: "new" | "existing",
  context: Context,
): Promise<RancherKeyOutputs | undefined> {
  // Without `clusterUid` the proof only skips the comparison of the UID.
  if ([...inputs.unknown].some((name) => name !== "clusterUid")) return undefined;
  try {
    return await prove(inputs.known as RancherKeyInputs, context, quickTimeoutMs);
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    const what = "Rancher's API key was not tried.";
    if (resource === "existing") failUnlessOffline(what, error, context);
    else context.log.warn(`${what} ${error.message}`);
    return undefined;
  }
}

/**
 * Finds the CA, and proves the key with a review through Rancher.
 *
 * @throws ProviderError RANCHER_KEY_REFUSED, RANCHER_MAY_NOT_REVIEW, RANCHER_CLUSTER_UNKNOWN, CLUSTER_OTHER,
 *   CLUSTER_CA_PIN_MISMATCH, CLUSTER_CA_NOT_SHOWN; KubeError for a failed connection
 */
async function prove(inputs: RancherKeyInputs, context: Context, timeoutMs: number): Promise<RancherKeyOutputs> {
  const host = gatewayHost(inputs.server);
  const { caPem, caSource } = await caOf(inputs, host, context, timeoutMs);
  const at = { server: host, caPem, token: inputs.apiKey, label: "the Rancher API key" };
  const options = { signal: context.signal, timeoutMs };
  const facts = { server: host, caPem, caFingerprint: caFingerprint(caPem), caSource, clusterId: inputs.clusterId };
  using rancher = KubeClient.direct(at, options);
  using through = KubeClient.direct({ ...at, server: `${host}/k8s/clusters/${inputs.clusterId}` }, options);
  if (inputs.proveHost) await proveKey(through, inputs);
  return { ...facts, ...(await readKeyFacts(inputs.proveHost ? rancher : undefined, inputs.apiKey)) };
}

async function caOf({ caPem, caPin }: RancherKeyInputs, host: string, context: Context, timeoutMs: number) {
  if (caPem !== undefined) return { caPem: caCertificates(caPem, '"caPem"'), caSource: "given" } as const;
  if (caPin === undefined) return { caPem: "", caSource: "public" } as const;
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)]);
  const shown = await probeServer(new URL(host).origin, rancherCaPath, signal);
  return { caPem: pinnedCa(host, shown, caPin).caPem, caSource: "pin" } as const;
}
