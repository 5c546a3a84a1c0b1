import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Cluster, PlannedObject, ReservedName } from "../cluster.ts";
import { metadataOf, skipAwaitAnnotations } from "../metadata.ts";
import { epochsOf, nameInEpoch, type Rotation } from "../rotation.ts";
import { replaceable } from "./replaceable.ts";
import type { TokenMode } from "./reviewerToken.ts";

/** The values from which the names of a ServiceAccount's token Secrets follow. */
export interface TokenSecretNaming {
  readonly serviceAccountName: string;
  readonly tokenMode?: TokenMode;
  readonly rotation?: Rotation;
}

/** Names of the token Secrets of all listed epochs. The current epoch is the first. */
export function tokenSecretNames({ serviceAccountName, tokenMode, rotation }: TokenSecretNaming): string[] {
  return epochsOf(rotation).map((epoch) => tokenSecretName(serviceAccountName, tokenMode, epoch));
}

/** Each mode and each epoch has its own Secret, so that a new one is created before the old one is deleted. */
function tokenSecretName(serviceAccountName: string, mode: TokenMode | undefined, epoch: string): string {
  return nameInEpoch(epoch, `${serviceAccountName}${mode === "tokenRequest" ? "-bound-token" : "-token"}`);
}

/** The token Secrets of a ServiceAccount. Deleting one revokes its tokens and no others. */
export interface TokenSecrets {
  /** The epoch of `current`; "" without a rotation. */
  readonly epoch: string;
  /** The Secret that the token comes from or is bound to. */
  readonly current: k8s.core.v1.Secret;
  /** Name of the Secret of the current token. */
  readonly currentName: string;
  /** Secrets of previous epochs. Their tokens stay valid until they expire, and are not renewed. */
  readonly previous: readonly { readonly epoch: string; readonly secret: string }[];
}

/** Creates a token Secret for each listed epoch. */
export function tokenSecrets(
  name: string,
  account: k8s.core.v1.ServiceAccount,
  namespace: pulumi.Input<string>,
  naming: TokenSecretNaming,
  opts: pulumi.CustomResourceOptions,
): TokenSecrets {
  const { serviceAccountName, tokenMode = "secret", rotation } = naming;
  const [current, ...earlier] = epochsOf(rotation);
  const secretName = (epoch: string) => tokenSecretName(serviceAccountName, tokenMode, epoch);
  const create = (epoch: string) => {
    const args = secretArgs(secretName(epoch), namespace, account.metadata.name, tokenMode);
    return new k8s.core.v1.Secret(resourceName(name, tokenMode, epoch), args, { ...replaceable, ...opts });
  };
  for (const epoch of earlier) create(epoch);
  const previous = earlier.map((epoch) => ({ epoch, secret: secretName(epoch) }));
  return { epoch: current, current: create(current), currentName: secretName(current), previous };
}

function resourceName(name: string, mode: TokenMode, epoch: string): string {
  // No name and no epoch contains "@": "reader" in the epoch "b" is never the user "reader-b".
  const suffix = epoch && `@${epoch}`;
  return mode === "tokenRequest" ? `${name}-bound${suffix}` : `${name}${suffix}`;
}

/** The token controller fills a Secret of the mode `secret`. In mode `tokenRequest` the Secret stays empty, and the token is bound to it. */
function secretArgs<Text>(name: string, namespace: Text, accountName: Text, mode: TokenMode) {
  if (mode === "tokenRequest") return { metadata: { name, namespace }, type: "Opaque" };
  const annotations = {
    "kubernetes.io/service-account.name": accountName,
    // ReviewerToken waits for the token, and its errors name the cause.
    ...skipAwaitAnnotations,
  };
  return { metadata: { name, namespace, annotations }, type: "kubernetes.io/service-account-token" };
}

/** A ServiceAccount for use outside the cluster. */
export function accountArgs<Text>(name: string, namespace: Text) {
  return { metadata: { name, namespace }, automountServiceAccountToken: false };
}

/** Manifests of a ServiceAccount and its token Secrets. */
export function accountObjects(account: TokenSecretNaming & { readonly namespace: string }): PlannedObject[] {
  const { namespace, serviceAccountName, tokenMode = "secret" } = account;
  const secrets = tokenSecretNames(account).map((name) => secretArgs(name, namespace, serviceAccountName, tokenMode));
  return [
    { apiVersion: "v1", kind: "ServiceAccount", ...accountArgs(serviceAccountName, namespace) },
    ...secrets.map((secret) => ({ apiVersion: "v1", kind: "Secret", ...secret })),
  ];
}

/** Names of a ServiceAccount, its token Secrets, and its namespace if that is created. */
export function accountNames(
  account: TokenSecretNaming & { readonly namespace: string; readonly createNamespace: boolean },
): ReservedName[] {
  const { namespace, createNamespace, serviceAccountName } = account;
  return [
    ...(createNamespace ? [{ apiVersion: "v1", kind: "Namespace", name: namespace }] : []),
    { apiVersion: "v1", kind: "ServiceAccount", namespace, name: serviceAccountName },
    ...tokenSecretNames(account).map((name) => ({ apiVersion: "v1", kind: "Secret", namespace, name })),
  ];
}

/** Inputs of a ReviewerToken that say where the token is proved, whose it is and which Secret it belongs to. */
export function accountTokenInputs(
  { host, caPem, issuer }: Cluster,
  account: {
    readonly namespace: pulumi.Output<string>;
    readonly serviceAccount: k8s.core.v1.ServiceAccount;
    readonly secrets: TokenSecrets;
  },
) {
  const { namespace, serviceAccount, secrets } = account;
  return {
    host,
    caPem,
    issuer,
    namespace,
    serviceAccountName: serviceAccount.metadata.name,
    serviceAccountUid: metadataOf(serviceAccount).uid,
    secretName: secrets.current.metadata.name,
    secretUid: metadataOf(secrets.current).uid,
  };
}
