import type { IssuerFacts } from "../../kubernetes/cluster/issuer.ts";
import type { Right } from "../../kubernetes/cluster/rights.ts";
import type { SuppliedRequest } from "../certificate/suppliedRequest.ts";
import type { Fields } from "../protocol/fields.ts";
import type { State } from "../protocol/resource.ts";
import type { PlannedObject } from "./admission.ts";
import type { ReservedName } from "./reservedNames.ts";

/** Where the gateway reaches the API server, and the CA that it trusts there. */
export interface GatewayTarget {
  readonly host: string;
  /** PEM; "" for a public CA. */
  readonly caPem: string;
  readonly caSource: "given" | "kubeconfig" | "pin" | "first use";
}

export interface ClusterInputs {
  readonly host?: string;
  readonly caPem?: string;
  readonly caPin?: string;
  readonly trustOnFirstUse: boolean;
  readonly allowLoopback: boolean;
  readonly proveHost: boolean;
  readonly caRequiredBy: readonly string[];
  readonly signerNames: readonly string[];
  readonly rights: readonly Right[];
  readonly reservedNames: readonly ReservedName[];
  readonly requiredObjects: readonly ReservedName[];
  readonly plannedObjects: readonly PlannedObject[];
  readonly certificateRequests: readonly SuppliedRequest[];
}

/** Facts that the plugin reads from the cluster. */
export interface ClusterFacts extends IssuerFacts, GatewayTarget {
  readonly caFingerprint: string;
  readonly version: string;
  readonly distribution: string;
  readonly uid: string;
}

export interface ClusterOutputs extends ClusterFacts {
  /** Names of this stack's objects: the wanted ones, and earlier ones whose objects are not deleted yet. */
  readonly reservedNames: readonly ReservedName[];
}

export type ClusterState = State<ClusterInputs, ClusterOutputs>;

const reservedName: Fields = {
  apiVersion: { type: "string", required: true },
  kind: { type: "string", required: true },
  namespace: { type: "string" },
  name: { type: "string", required: true },
};

export const clusterInputs: Fields = {
  host: { type: "string" },
  caPem: { type: "string" },
  caPin: { type: "string" },
  trustOnFirstUse: { type: "boolean", default: false },
  allowLoopback: { type: "boolean", default: false },
  proveHost: { type: "boolean", default: true },
  caRequiredBy: { type: "strings" },
  signerNames: { type: "strings" },
  rights: {
    type: "objects",
    fields: {
      verb: { type: "string", required: true },
      group: { type: "string" },
      resource: { type: "string" },
      subresource: { type: "string" },
      namespace: { type: "string" },
      name: { type: "string" },
      nonResourcePath: { type: "string" },
    },
  },
  reservedNames: { type: "objects", fields: reservedName },
  plannedObjects: { type: "objects" },
  certificateRequests: {
    type: "objects",
    secret: true,
    fields: {
      csrPem: { type: "string", required: true },
      commonName: { type: "string", required: true },
      privateKeyPem: { type: "string", secret: true },
    },
  },
  requiredObjects: { type: "objects", fields: reservedName },
};

export const clusterOutputs: Fields = {
  host: { type: "string" },
  caPem: { type: "string" },
  caFingerprint: { type: "string" },
  caSource: { type: "string" },
  issuer: { type: "string" },
  issuerNote: { type: "string" },
  jwks: { type: "string" },
  version: { type: "string" },
  distribution: { type: "string" },
  uid: { type: "string" },
  reservedNames: { type: "objects", fields: reservedName },
};
