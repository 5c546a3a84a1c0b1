import { probeServer } from "../../kubernetes/cluster/probe.ts";
import type { Connection } from "../../kubernetes/connection.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { caCertificates } from "../../kubernetes/kubeconfig/caCertificates.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import type { Context } from "../protocol/resource.ts";
import { describeCertificate, firstUseCa, pinDigest, pinnedCa, rancherCaPath } from "./caPin.ts";
import type { ClusterInputs, ClusterState, GatewayTarget } from "./clusterFields.ts";
import { gatewayHost, refuseLocalHost } from "./gatewayHost.ts";

/** Whether the CA is read from the server itself. */
export function takesCaFromServer({ caPin, trustOnFirstUse }: Partial<ClusterInputs>): boolean {
  return caPin !== undefined || trustOnFirstUse === true;
}

/** Checks for settings of the CA that contradict each other. */
export function caFailures(known: Partial<ClusterInputs>): CheckFailure[] {
  const { caPin, caPem, trustOnFirstUse, proveHost } = known;
  const failures: CheckFailure[] = [];
  if (caPin !== undefined && pinDigest(caPin) === undefined) {
    const reason =
      '"caPin" is not a SHA-256: expected 64 hexadecimal digits, with or without colons, or base64 of 32 bytes.';
    failures.push({ property: "caPin", reason });
  }
  const sources = { caPem: caPem !== undefined, caPin: caPin !== undefined, trustOnFirstUse: trustOnFirstUse === true };
  const given = Object.entries(sources).flatMap(([name, isSet]) => (isSet ? [`"${name}"`] : []));
  if (given.length > 1)
    failures.push({ property: "caPin", reason: `${given.join(" and ")} are set. Set only one of them.` });
  if (takesCaFromServer(known) && proveHost === false) {
    const reason =
      '"proveHost" is false, but the CA is read from the host, which needs a connection to it: set "caPem".';
    failures.push({ property: "proveHost", reason });
  }
  return failures;
}

/**
 * Host and CA from the inputs or the kubeconfig, without any request. The CA is undefined if it is read from the server.
 *
 * @throws ProviderError CLUSTER_HOST_INVALID, CLUSTER_HOST_LOOPBACK; KubeError KUBECONFIG_CA_INVALID
 */
export function knownTarget(
  inputs: Partial<ClusterInputs>,
  connection: Connection,
): { readonly host: string; readonly caPem: string | undefined } {
  const host = inputs.host === undefined ? connection.server : gatewayHost(inputs.host);
  if (inputs.allowLoopback !== true) {
    refuseLocalHost(host);
    if (inputs.host === undefined && connection.context === "in-cluster") {
      throw new ProviderError(
        "CLUSTER_HOST_LOOPBACK",
        `The deployer runs in a pod and reaches the API server at ${host}, an address inside the cluster.`,
        'Set "host" to an address that the gateway can reach, or set "allowLoopback" to true if the gateway runs in the cluster too.',
      );
    }
  }
  if (takesCaFromServer(inputs)) return { host, caPem: undefined };
  return { host, caPem: inputs.caPem === undefined ? connection.caPem : caCertificates(inputs.caPem, '"caPem"') };
}

/**
 * Host and CA. A CA that is read from the server must match the pin, or the CA that was stored at first use.
 *
 * @throws ProviderError CLUSTER_CA_PIN_MISMATCH, CLUSTER_CA_NOT_SHOWN, and those of knownTarget
 */
export async function gatewayTarget(
  inputs: Partial<ClusterInputs>,
  connection: Connection,
  context: Context,
  timeoutMs: number,
  state?: ClusterState,
): Promise<GatewayTarget> {
  const { host, caPem } = knownTarget(inputs, connection);
  if (caPem !== undefined) return { host, caPem, caSource: inputs.caPem === undefined ? "kubeconfig" : "given" };
  if (inputs.caPin !== undefined) {
    const found = pinnedCa(host, await probeHost(host, context, timeoutMs), inputs.caPin);
    return { host, caPem: found.caPem, caSource: "pin" };
  }
  const { outputs } = state ?? {};
  if (outputs?.caPem && outputs.host === host) return { host, caPem: outputs.caPem, caSource: "first use" };
  const found = firstUseCa(host, await probeHost(host, context, timeoutMs));
  return { host, caPem: found.caPem, caSource: "first use" };
}

/**
 * Refuses a host without a known CA if a product needs one.
 *
 * @throws ProviderError CLUSTER_CA_REQUIRED
 */
export function requireCa({ host, caPem }: GatewayTarget, products: readonly string[]): void {
  if (caPem !== "" || products.length === 0) return;
  throw new ProviderError(
    "CLUSTER_CA_REQUIRED",
    `The auth config for ${products.join(" and for ")} needs the CA of ${host}, and the kubeconfig has none.`,
    'Set "caPem" to the certificate of the CA that signed the host\'s certificate, even if it is a public CA.',
  );
}

/** Warns that the CA was trusted at first use, without proof. */
export function warnOfFirstUse({ host, caSource }: GatewayTarget, fingerprint: string, context: Context): void {
  if (caSource !== "first use") return;
  context.log.warn(
    `The CA of ${host} is trusted at first use: SHA-256 ${fingerprint}. Compare it with the fingerprint that the server's administrator states, and set it as the pin.`,
  );
}

function probeHost(host: string, context: Context, timeoutMs: number) {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)]);
  return probeServer(new URL(host).origin, rancherCaPath, signal);
}

/**
 * Converts an error of the connection to the gateway's host, so that its code differs from those of the deployer's connection.
 * CLUSTER_CA_CHANGED: the host has another CA than at first use.
 */
export async function hostFailure(
  error: unknown,
  target: GatewayTarget,
  fingerprint: string,
  context: Context,
): Promise<unknown> {
  if (!(error instanceof KubeError)) return error;
  if (target.caSource === "first use" && isKubeError(error, "KUBE_TLS_UNTRUSTED")) {
    const shown = await probeHost(target.host, context, 2_000).catch(() => undefined);
    const now = shown?.chain.map(describeCertificate).join("; ") ?? "nothing";
    return new ProviderError(
      "CLUSTER_CA_CHANGED",
      `${target.host} no longer shows a certificate of the CA that was trusted at first use (SHA-256 ${fingerprint}). It shows ${now}.`,
      "Another server may be answering at this address. If the CA was changed on purpose, get its fingerprint over a trusted channel and set it as the pin.",
    );
  }
  return new ProviderError(
    "CLUSTER_HOST_PROOF_FAILED",
    `The connection to the gateway's host failed (${error.code}). ${error.message}`,
    /^KUBE_(UNREACHABLE|REFUSED|TIMEOUT|PROXY)/.test(error.code)
      ? 'Correct "host"; or set "proveHost" to false if this machine cannot reach the host but the gateway can.'
      : 'Check that "host" is the address of this cluster\'s API server. If it is, correct "caPem".',
  );
}
