import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { TokenMode } from "./reviewerToken.ts";

/** Each mode has a Secret of its own, so that a change of mode makes the new one before the old one goes. */
export function tokenSecretName(serviceAccountName: string, mode: TokenMode = "secret"): string {
  return `${serviceAccountName}${mode === "tokenRequest" ? "-bound-token" : "-token"}`;
}

/**
 * The Secret that a service account's token comes from, or that it is bound to: its deletion revokes the token. One that
 * is only bound to stays empty.
 */
export function tokenSecret(
  name: string,
  account: k8s.core.v1.ServiceAccount,
  namespace: pulumi.Input<string>,
  accountName: string,
  mode: TokenMode = "secret",
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Secret {
  const secretName = tokenSecretName(accountName, mode);
  if (mode === "tokenRequest") {
    return new k8s.core.v1.Secret(`${name}-bound`, { metadata: { name: secretName, namespace }, type: "Opaque" }, opts);
  }
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: {
        name: secretName,
        namespace,
        annotations: {
          "kubernetes.io/service-account.name": account.metadata.name,
          // ReviewerToken waits for the token, longer and with better reasons.
          "pulumi.com/skipAwait": "true",
        },
      },
      type: "kubernetes.io/service-account-token",
    },
    opts,
  );
}

/** The UID that the API server gave an object; unknown, like its id, for as long as the object is not there. */
export function uidOf(
  resource: pulumi.CustomResource & { readonly metadata: pulumi.Output<{ uid: string }> },
): pulumi.Output<string> {
  return pulumi.all([resource.id, resource.metadata]).apply(([, metadata]) => metadata.uid);
}
