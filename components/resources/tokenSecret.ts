import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { PlannedObject } from "../cluster.ts";
import { epochsOf, nameIn, type Rotation } from "../rotation.ts";
import { replaceable } from "./replaceable.ts";
import type { TokenMode } from "./reviewerToken.ts";

/** Inputs of the names of a ServiceAccount's token Secrets. */
export interface TokenSecretNaming {
  readonly serviceAccountName: string;
  readonly tokenMode?: TokenMode;
  readonly rotation?: Rotation;
}

/** Names of an account's token Secrets, by the listed epochs, the current one first. */
export function tokenSecretNames({ serviceAccountName, tokenMode, rotation }: TokenSecretNaming): string[] {
  return epochsOf(rotation).map((epoch) => tokenSecretName(serviceAccountName, tokenMode, epoch));
}

/** Each mode and each epoch has its own Secret, so that the new one is created before the old one is deleted. */
function tokenSecretName(serviceAccountName: string, mode: TokenMode | undefined, epoch: string): string {
  return nameIn(epoch, `${serviceAccountName}${mode === "tokenRequest" ? "-bound-token" : "-token"}`);
}

/** An account's token Secrets. The deletion of one revokes its tokens and no others. */
export interface TokenSecrets {
  /** The epoch of `current`; "" without a rotation. */
  readonly epoch: string;
  /** The Secret that the token comes from or is bound to. */
  readonly current: k8s.core.v1.Secret;
  /** Name of the Secret of the current token. */
  readonly currentName: string;
  /** Secrets of previous epochs, whose tokens keep working. */
  readonly previous: readonly { readonly epoch: string; readonly secret: string }[];
}

/** Creates a token Secret for each listed epoch of a service account. */
export function tokenSecrets(
  name: string,
  account: k8s.core.v1.ServiceAccount,
  namespace: pulumi.Input<string>,
  naming: TokenSecretNaming,
  opts: pulumi.CustomResourceOptions,
): TokenSecrets {
  const [epoch, ...earlier] = epochsOf(naming.rotation);
  const nameOf = (of: string) => tokenSecretName(naming.serviceAccountName, naming.tokenMode, of);
  const make = (of: string) =>
    tokenSecret(name, account, namespace, nameOf(of), naming.tokenMode, of, { ...replaceable, ...opts });
  for (const past of earlier) make(past);
  const previous = earlier.map((past) => ({ epoch: past, secret: nameOf(past) }));
  return { epoch, current: make(epoch), currentName: nameOf(epoch), previous };
}

/**
 * The Secret that a service account's token comes from, or that it is bound to: its deletion revokes the token. One that
 * is only bound to stays empty.
 */
function tokenSecret(
  name: string,
  account: k8s.core.v1.ServiceAccount,
  namespace: pulumi.Input<string>,
  secretName: string,
  mode: TokenMode = "secret",
  epoch: string,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Secret {
  // An "@" is in no name and in no epoch: "reader" in the epoch "b" is never the user "reader-b".
  const within = epoch && `@${epoch}`;
  const resource = mode === "tokenRequest" ? `${name}-bound${within}` : `${name}${within}`;
  return new k8s.core.v1.Secret(resource, secretArgs(secretName, namespace, account.metadata.name, mode), opts);
}

function secretArgs<Text>(name: string, namespace: Text, accountName: Text, mode: TokenMode) {
  if (mode === "tokenRequest") return { metadata: { name, namespace }, type: "Opaque" };
  const annotations = {
    "kubernetes.io/service-account.name": accountName,
    // ReviewerToken waits for the token, longer and with better reasons.
    "pulumi.com/skipAwait": "true",
  };
  return { metadata: { name, namespace, annotations }, type: "kubernetes.io/service-account-token" };
}

/** What a ServiceAccount of a user outside the cluster is: no pod runs as it. */
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

/** The UID that the API server gave an object; unknown, like its id, for as long as the object is not there. */
export function uidOf(
  resource: pulumi.CustomResource & { readonly metadata: pulumi.Output<{ uid: string }> },
): pulumi.Output<string> {
  return pulumi.all([resource.id, resource.metadata]).apply(([, metadata]) => metadata.uid);
}
