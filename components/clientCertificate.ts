import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { Cluster } from "./cluster.ts";
import { inputsOf } from "./inputs.ts";
import { labelled } from "./labels.ts";
import { type Product, productRules } from "./products.ts";
import { bindClusterRole } from "./rbac/bindings.ts";
import type { ReviewerRole } from "./rbac/deployerPermissions.ts";
import { type ReviewerRoles, reviewerRoles } from "./rbac/reviewerRole.ts";
import { rbacGroup } from "./rbac/rules.ts";
import { replaceable } from "./resources/replaceable.ts";
import { SignedCertificate } from "./resources/signedCertificate.ts";
import { epochsOf, nameInEpoch, type Rotation } from "./rotation.ts";

/** Kinds of private keys. RSA by bits, ECDSA by NIST curve. */
export const keyTypes = ["RSA2048", "RSA3072", "RSA4096", "P256", "P384"] as const;
export type KeyType = (typeof keyTypes)[number];

export interface ClientCertificateArgs {
  /** The checked cluster. The certificate is proved at its host. */
  readonly cluster: Cluster;
  /**
   * Common name of the certificate, which is its user name in the cluster; a rotation appends `-EPOCH`. At most 64 bytes. It must be unique
   * in the cluster, because bindings refer to users by name.
   */
  readonly commonName: string;
  /** Organization of the certificate, which is the user's group. It gets no permission. @default none */
  readonly organization?: string;
  /** Type of the generated private key. @default "RSA2048" */
  readonly keyType?: KeyType;
  /**
   * Your own certificate signing request, PEM. Its subject must have `commonName`. It cannot be combined with `rotation`. You keep the private
   * key.
   *
   * @default a generated key and request
   */
  readonly csrPem?: pulumi.Input<string>;
  /** Private key of `csrPem`, PEM. Without it the certificate is not proved and no auth config is created. Secret. @default none */
  readonly privateKeyPem?: pulumi.Input<string>;
  /** Requested lifetime, in seconds, at least 600. The signer may shorten it. @default 7776000 (90 days) */
  readonly expirationSeconds?: number;
  /**
   * Time before expiry from which on `pulumi up` renews the certificate, in seconds. Set more than the interval of your runs.
   *
   * @default a third of the lifetime
   */
  readonly renewBefore?: number;
  /** `auto`: the deployer approves the request. `external`: someone else approves it while `pulumi up` waits. @default "auto" */
  readonly approval?: "auto" | "external";
  /** Role of the user, as for a TokenReviewer. @default "tokenreviews" */
  readonly role?: ReviewerRole;
  /** Products that the user works for. The permissions that they need are added to the role, if they accept certificates. @default [] */
  readonly products?: readonly Product[];
  /** Name of an existing ClusterRole, instead of `role`. @default none */
  readonly clusterRole?: string;
  /**
   * Epochs of the certificate. Each epoch has its own key, common name and binding. Previous epochs keep their binding while they are
   * listed.
   *
   * @default none
   */
  readonly rotation?: Rotation;
  /** Proves the certificate at the cluster's `host`. If false, it is proved at the kubeconfig's server. @default true */
  readonly proveHost?: boolean;
}

/**
 * A user with a client certificate that the cluster signs, and the permissions of a token reviewer. The certificate expires and is renewed
 * by the next `pulumi up`.
 *
 * Kubernetes cannot revoke certificates. To disable one, delete its user's binding; a rotation therefore changes the user's name.
 *
 * The resource option `protect` protects the component and its ClusterRole. It cannot protect the rest: a renewal replaces the certificate, and a
 * rotation also key and binding.
 *
 * @example
 * const client = new ClientCertificate("client", { cluster, commonName: "vault" }, { providers: [kubernetes, deployer] });
 * export const certificate = client.certificate.certificatePem;
 */
export class ClientCertificate extends pulumi.ComponentResource {
  /** User name of the current epoch. */
  readonly commonName: string;
  /** The epoch of the certificate; "" without a rotation. */
  readonly epoch: string;
  /** Users of previous epochs, which keep their permissions. Their certificates are not renewed. */
  readonly previous: readonly { readonly epoch: string; readonly subject: string }[];
  /** The proved certificate. */
  readonly certificate: SignedCertificate;
  /** Private key, PEM. Secret. Undefined if only `csrPem` was given. */
  readonly privateKeyPem: pulumi.Output<string> | undefined;

  constructor(name: string, args: ClientCertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    const suppliedKey = args.privateKeyPem === undefined ? undefined : pulumi.secret(args.privateKeyPem);
    const inputs = { ...inputsOf(args, "cluster"), privateKeyPem: suppliedKey };
    super("k8sauth:index:ClientCertificate", name, inputs, labelled(opts));
    if (args.csrPem && args.rotation) {
      throw new pulumi.ResourceError(
        "rotation: csrPem has one fixed common name, and each epoch needs another. Unset rotation or csrPem.",
        this,
      );
    }
    const [epoch, ...earlier] = epochsOf(args.rotation);
    const child = { parent: this };
    const further = productRules(args.products, "certificate");
    const roles = args.clusterRole ? { "": args.clusterRole } : reviewerRoles(name, args.role, further, child);
    this.previous = earlier.map((past) => ({ epoch: past, subject: userName(args, past) }));
    for (const past of this.previous) this.#bind(nameInEpoch(past.epoch, name), past.subject, roles);
    const current = nameInEpoch(epoch, name);
    this.epoch = epoch;
    this.commonName = userName(args, epoch);
    const bindings = this.#bind(current, this.commonName, roles);
    const { csrPem, privateKeyPem } = this.#request(current, args);
    this.privateKeyPem = privateKeyPem;
    this.certificate = new SignedCertificate(
      current,
      {
        host: args.cluster.host,
        caPem: args.cluster.caPem,
        proveHost: args.proveHost,
        csrPem,
        privateKeyPem,
        expirationSeconds: args.expirationSeconds,
        renewBefore: args.renewBefore,
        approval: args.approval,
        proof: args.clusterRole ? "self" : "tokenReview",
      },
      { ...child, dependsOn: bindings },
    );
    const { commonName, previous, certificate } = this;
    this.registerOutputs({ commonName, epoch, previous, certificate, privateKeyPem });
  }

  #bind(name: string, user: string, roles: ReviewerRoles): k8s.rbac.v1.ClusterRoleBinding[] {
    const subject = { apiGroup: rbacGroup, kind: "User", name: user };
    return Object.entries(roles).map(([suffix, role]) =>
      bindClusterRole(`${name}${suffix}`, role, subject, { ...replaceable, parent: this }),
    );
  }

  #request(name: string, args: ClientCertificateArgs) {
    if (args.csrPem) {
      const privateKeyPem = args.privateKeyPem === undefined ? undefined : pulumi.secret(args.privateKeyPem);
      return { csrPem: pulumi.output(args.csrPem), privateKeyPem };
    }
    const child = { ...replaceable, parent: this };
    const key = new tls.PrivateKey(name, keyArgs(args.keyType), child);
    const request = new tls.CertRequest(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: this.commonName, ...(args.organization && { organization: args.organization }) },
      },
      child,
    );
    return { csrPem: request.certRequestPem, privateKeyPem: key.privateKeyPem };
  }
}

/** The certificate's user in an epoch. */
export function userName({ commonName }: Pick<ClientCertificateArgs, "commonName">, epoch: string): string {
  return nameInEpoch(epoch, commonName);
}

function keyArgs(keyType: KeyType = "RSA2048"): tls.PrivateKeyArgs {
  return keyType.startsWith("RSA")
    ? { algorithm: "RSA", rsaBits: Number(keyType.slice("RSA".length)) }
    : { algorithm: "ECDSA", ecdsaCurve: keyType };
}
