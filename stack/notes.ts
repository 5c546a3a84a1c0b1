import type * as pulumi from "@pulumi/pulumi";
import { defaultUserTokenMode } from "../components/resources/reviewerToken.ts";
import { imageNotes } from "../components/verifier/image.ts";
import { akeylessKinds } from "../gateways/index.ts";
import type { StackAccess } from "./clusterAccess.ts";
import type { Flows } from "./flows.ts";
import type { Settings } from "./settings/index.ts";

type Notes = readonly string[];

/**
 * Reasons for absent auth configs, and other facts that a user of the outputs must know.
 *
 * @param pushed whether the stack pushes to Akeyless: access id and signing key are then known
 */
export function noteOutputs(
  settings: Settings,
  access: StackAccess,
  flows: Flows,
  pushed: boolean,
): Notes | pulumi.Output<Notes> {
  const notes = [
    ...akeylessNotes(settings, flows, pushed),
    ...privateKeyNotes(flows),
    ...expiryNotes(settings),
    ...previousEpochNotes(settings),
    ...rotationNotes(settings),
    ...(settings.verifier ? imageNotes(settings.verifier.image) : []),
  ];
  return withAudienceNotes(notes, settings, access, flows);
}

/** Reasons for absent auth configs of Akeyless. A stack without any setting for Akeyless has none. */
export function akeylessNotes(
  { akeyless: { accessId, signingKey, gatewayUrl } }: Pick<Settings, "akeyless">,
  flows: Partial<Flows>,
  pushed: boolean,
): Notes {
  if (!accessId && !signingKey && !gatewayUrl) return [];
  const missing = accessId ? "akeylessSigningKey" : "akeylessAccessId";
  const kinds = pushed || (accessId && signingKey) ? [] : akeylessKinds.filter((kind) => flows[kind]);
  return [
    ...kinds.map((kind) => `authConfigs.${kind}.akeyless is absent: k8sauth:${missing} is not set.`),
    ...(accessId && !gatewayUrl ? ["workloadLogin.akeyless is absent: k8sauth:akeylessGatewayUrl is not set."] : []),
  ];
}

function privateKeyNotes({ certificate }: Flows): Notes {
  if (certificate === undefined || certificate.privateKeyPem !== undefined) return [];
  return [
    "kubeconfigs.certificate and authConfigs.certificate are absent, because they cannot be created without the private key of k8sauth:certificateRequest. Set k8sauth:certificateKey, or combine credentials.certificate.certificatePem with your key.",
  ];
}

function expiryNotes({ tokenFlow, token, certificateFlow, bearerTokenUsers }: Settings): Notes {
  const users = Object.entries(bearerTokenUsers)
    .filter(([, { tokenMode = defaultUserTokenMode }]) => tokenMode === "tokenRequest")
    .map(([name]) => name);
  const renewal = "expire, and only `pulumi up` renews them: schedule runs (docs/renewal.md).";
  return [
    ...(tokenFlow && token.tokenMode === "tokenRequest"
      ? [
          "The reviewer's token expires, and only `pulumi up` renews it: schedule runs, and send each new auth config to the gateway (docs/renewal.md).",
        ]
      : []),
    ...(certificateFlow
      ? [
          "The reviewer's certificate expires, and only `pulumi up` renews it: schedule runs, and send each new auth config to the gateway (docs/renewal.md).",
        ]
      : []),
    ...(users.length > 0 ? [`The tokens of the bearer-token users ${users.join(", ")} ${renewal}`] : []),
  ];
}

/** Epochs whose credentials a rotation has not ended yet. */
export function previousEpochNotes({ token }: Pick<Settings, "token">): Notes {
  const { previous = [] } = token.rotation ?? {};
  if (previous.length === 0) return [];
  const epochs = previous.map((epoch) => JSON.stringify(epoch)).join(", ");
  return [
    `Credentials of earlier epochs are still valid (${epochs}). When every gateway uses the new ones, remove these epochs from k8sauth:rotation.previous.`,
  ];
}

/** A rotation changes the user name of a certificate. The user name of a supplied request is fixed. */
export function rotationNotes({ token, certificateFlow, certificate }: Settings): Notes {
  if (token.rotation === undefined || !certificateFlow || certificate.csrPem === undefined) return [];
  return [
    "k8sauth:rotation does not rotate the certificate of k8sauth:certificateRequest: set another request with another k8sauth:certificateCommonName.",
  ];
}

/** Akeyless and Consul name no audience in a review, so the API server accepts only tokens for its own audiences. */
function withAudienceNotes(
  notes: Notes,
  { audience }: Settings,
  { core }: StackAccess,
  { token }: Flows,
): Notes | pulumi.Output<Notes> {
  if (audience === undefined) return notes;
  // Without a reviewer's token, the issuer is the only known audience of the API server.
  const accepted = token?.token.audienceAcceptedByDefault ?? core.apply(({ issuer }) => issuer === audience);
  return accepted.apply((isApiServers) => {
    if (isApiServers) return [...notes, apiServerAudienceNote(audience)];
    return token ? [...notes, foreignAudienceNote(audience)] : notes;
  });
}

function apiServerAudienceNote(audience: string): string {
  return `The API server itself accepts tokens for "${audience}" (k8sauth:audience): a gateway that receives a workload's token can act as the workload in the cluster. Akeyless and Consul need such an audience. For other gateways set k8sauth:audience to a name that is not in the API server's --api-audiences.`;
}

function foreignAudienceNote(audience: string): string {
  return `Gateways that name no audience in a review (Akeyless, Consul) refuse tokens for "${audience}" (k8sauth:audience): add it to the API server's --api-audiences.`;
}
