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

/** What the plugin reads of the cluster. */
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
  apiVersion: {
    type: "string",
    required: true,
    description: 'apiVersion of the object ("rbac.authorization.k8s.io/v1").',
  },
  kind: { type: "string", required: true, description: 'Kind of the object ("ClusterRoleBinding").' },
  namespace: { type: "string", description: "Its namespace, for namespaced kinds." },
  name: { type: "string", required: true, description: "Its name." },
};

export const clusterInputs: Fields = {
  host: {
    type: "string",
    description: "https URL at which the gateway reaches the API server; by default the kubeconfig's server.",
  },
  caPem: {
    type: "string",
    description: "CA certificates for that host, PEM; by default those of the kubeconfig.",
  },
  caPin: {
    type: "string",
    description:
      "Takes the CA from the host itself if it has this SHA-256: of the CA certificate, of its public key, or Rancher's checksum of cacerts.",
  },
  trustOnFirstUse: {
    type: "boolean",
    default: false,
    description: "Trusts the CA that the host shows at first use, and compares it on every later run.",
  },
  allowLoopback: {
    type: "boolean",
    default: false,
    description: "Accepts a host that only this machine can reach.",
  },
  proveHost: {
    type: "boolean",
    default: true,
    description: "Tries the host with the CA by a real TLS handshake.",
  },
  caRequiredBy: {
    type: "strings",
    description: "Products whose auth configs need the CA of the host: a run without a known CA fails.",
  },
  signerNames: {
    type: "strings",
    description: "Signers of the requested certificates. A signer that the cluster does not have is refused.",
  },
  rights: {
    type: "objects",
    description: "Rights that the deployer needs. The error lists every missing one before anything is created.",
    fields: {
      verb: { type: "string", required: true, description: 'Verb ("create").' },
      group: { type: "string", description: 'API group; "" for the core group.' },
      resource: { type: "string", description: 'Plural of the resource ("clusterrolebindings").' },
      subresource: { type: "string", description: 'Subresource ("approval").' },
      namespace: { type: "string", description: "Namespace, which need not exist yet; without it the whole cluster." },
      name: { type: "string", description: "Name of the one object." },
      nonResourcePath: { type: "string", description: "Path of the API server, instead of a resource." },
    },
  },
  reservedNames: {
    type: "objects",
    description: "Objects that will be created with fixed names, which must be free.",
    fields: reservedName,
  },
  plannedObjects: {
    type: "objects",
    description:
      "Objects that will be created in namespaces that exist, as manifests: a dry run shows whether a quota, a webhook or a policy refuses them.",
  },
  certificateRequests: {
    type: "objects",
    secret: true,
    description: "Certificate requests that the program supplies. They are checked before anything is created.",
    fields: {
      csrPem: { type: "string", required: true, description: "The request, PEM." },
      commonName: { type: "string", required: true, description: "The common name that its subject must have." },
      privateKeyPem: {
        type: "string",
        secret: true,
        description: "Its private key, PEM, if the program supplies it. It is compared with the request and not used.",
      },
    },
  },
  requiredObjects: {
    type: "objects",
    description: "Objects that this stack does not create and that must exist before it creates anything.",
    fields: reservedName,
  },
};

export const clusterOutputs: Fields = {
  host: { type: "string", description: "https URL at which the gateway reaches the API server." },
  caPem: { type: "string", description: 'CA certificates for that host, PEM; "" where a public CA signed it.' },
  caFingerprint: {
    type: "string",
    description: "SHA-256 of the first CA certificate's DER, in hexadecimal with colons.",
  },
  caSource: { type: "string", description: '"kubeconfig", "given", "pin" or "first use".' },
  issuer: { type: "string", description: 'Issuer of ServiceAccount tokens; "" if discovery does not state it.' },
  issuerNote: { type: "string", description: "Why the issuer is empty." },
  jwks: { type: "string", description: 'Public keys of that issuer, a JSON Web Key Set as JSON; "" where unknown.' },
  version: { type: "string", description: 'Version of the API server ("v1.36.3").' },
  distribution: { type: "string", description: 'Product that serves the API ("EKS", "k3s", "Kubernetes"…).' },
  uid: { type: "string", description: "What identifies the cluster: the UID of its namespace kube-system." },
  reservedNames: {
    type: "objects",
    description: "Names of this stack's objects: the wanted ones, and earlier ones whose objects are not deleted yet.",
    fields: reservedName,
  },
};
