import type { KubeClient } from "../../kubernetes/client.ts";
import { proveHost } from "../../kubernetes/cluster/hostProof.ts";
import { type IssuerFacts, readIssuer } from "../../kubernetes/cluster/issuer.ts";
import { readVersion } from "../../kubernetes/cluster/version.ts";
import { requireSigners } from "../certificate/signers.ts";
import { ProviderError } from "../protocol/errors.ts";
import { same } from "../protocol/fields.ts";
import type { Context } from "../protocol/resource.ts";
import { nameOf, requireAccepted } from "./admission.ts";
import type { ClusterFacts, ClusterInputs, ClusterState } from "./clusterFields.ts";
import { gatewayTarget, hostFailure, requireCa, warnOfFirstUse } from "./gatewayTarget.ts";
import { caFingerprint, caUidPrefix, readUid } from "./identity.ts";
import { requireObjects } from "./requiredObjects.ts";
import { type ReservedName, requireFreeNames } from "./reservedNames.ts";
import { requireRights } from "./rights.ts";

/**
 * Reads the facts of the cluster and runs all checks of it, concurrently. Of several failures the most basic one is thrown.
 *
 * @param ours names whose objects this stack created
 */
export async function preflight(
  inputs: ClusterInputs,
  ours: readonly ReservedName[],
  context: Context,
  state?: ClusterState,
  timeoutMs = context.timeoutMs ?? 15_000,
): Promise<ClusterFacts> {
  using client = await context.deployer.client(context, timeoutMs);
  const target = await gatewayTarget(inputs, client.connection, context, Math.min(timeoutMs, 5_000), state);
  requireCa(target, inputs.caRequiredBy ?? []);
  const isForeign = (name: ReservedName) => !ours.some((own) => same(own, name));
  const names = (inputs.reservedNames ?? []).filter(isForeign);
  const planned = (inputs.plannedObjects ?? []).filter((object) => isForeign(nameOf(object)));
  const proof = inputs.proveHost && !isDeployersTarget(client, target) ? target : undefined;
  const facts = readVersion(client);
  const [version, uid, host, issuer, signers, rights, freeNames, requiredObjects, accepted] = await Promise.allSettled([
    facts,
    clusterUid(client, target.caPem, context, state),
    proof && proveHost(proof.host, proof.caPem, Math.min(timeoutMs, 5_000), context.signal),
    readIssuer(client),
    facts.then(({ distribution }) => requireSigners(client, distribution, inputs.signerNames ?? [])),
    requireRights(client, inputs.rights ?? []),
    requireFreeNames(client, names),
    requireObjects(client, inputs.requiredObjects ?? []),
    requireAccepted(client, planned, context),
  ]);
  const fingerprint = caFingerprint(target.caPem);
  for (const result of [version, uid, host, signers, rights, requiredObjects, freeNames, accepted, issuer]) {
    if (result.status === "fulfilled") continue;
    throw result === host ? await hostFailure(result.reason, target, fingerprint, context) : result.reason;
  }
  if (state?.outputs.caPem !== target.caPem) warnOfFirstUse(target, fingerprint, context);
  return {
    ...target,
    caFingerprint: fingerprint,
    ...fulfilled(version),
    uid: fulfilled(uid),
    ...issuerOrPrevious(fulfilled(issuer), state),
  };
}

/** The issuer that was read, or the one of the state if the deployer may no longer read it. */
function issuerOrPrevious(found: IssuerFacts & { readonly forbidden: boolean }, state?: ClusterState): IssuerFacts {
  const { forbidden, ...facts } = found;
  const { issuer, issuerNote = "", jwks = "" } = state?.outputs ?? {};
  return forbidden && issuer ? { issuer, issuerNote, jwks } : facts;
}

/** Whether the deployer's own requests go to the same server with the same CA, which proves the target. */
function isDeployersTarget(client: KubeClient, target: { host: string; caPem: string }): boolean {
  const { server, caPem, tlsServerName, proxyAgent, env } = client.connection;
  const direct = tlsServerName === undefined && proxyAgent === undefined && !(env.HTTPS_PROXY || env.https_proxy);
  return direct && server === target.host && caPem === target.caPem;
}

function fulfilled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** The cluster's UID. @throws ProviderError CLUSTER_OTHER if it is not the cluster of the state */
async function clusterUid(client: KubeClient, caPem: string, context: Context, state?: ClusterState): Promise<string> {
  const uid = await readUid(client, caPem);
  const before = state?.id;
  if (uid === undefined) {
    if (before !== undefined) return before;
    throw new ProviderError(
      "CLUSTER_OTHER",
      `The cluster at ${client.connection.server} cannot be identified: the deployer may not read namespace kube-system, and there is no CA.`,
      'Grant get on namespace kube-system, or set "caPem".',
    );
  }
  const byCa = uid.startsWith(caUidPrefix);
  if (byCa && !before) {
    context.log.warn(
      "The deployer may not read namespace kube-system. The hash of the CA identifies the cluster instead.",
    );
  }
  // A hash of the CA changes with the CA, and cannot be compared with a UID.
  if (before === undefined || before === uid || byCa || before.startsWith(caUidPrefix)) return before ?? uid;
  throw new ProviderError(
    "CLUSTER_OTHER",
    `This stack belongs to the cluster ${before}, and the kubeconfig (context "${client.connection.context}", ${client.connection.server}) points to the cluster ${uid}.`,
    "Choose the kubeconfig or context of the stack's cluster, or use a separate stack for the other cluster. If the cluster was created again, first destroy or remove this stack.",
  );
}
