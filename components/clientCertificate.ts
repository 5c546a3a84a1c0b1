import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { Cluster } from "./cluster.ts";
import { furtherRules, type Product } from "./products.ts";
import { type ReviewerRoles, reviewerRoles } from "./reviewerRole.ts";
import type { ReviewerRole } from "./rights.ts";
import { SignedCertificate } from "./signedCertificate.ts";

/** Kinds of private keys. RSA by bits, ECDSA by NIST curve. */
export const keyTypes = ["RSA2048", "RSA3072", "RSA4096", "P256", "P384"] as const;
export type KeyType = (typeof keyTypes)[number];

/**
 * Generations of a credential, by words of the user's choice. A new one is a new key, a new name and a binding of its
 * own; the bindings of earlier ones stay for as long as they are listed.
 */
export interface Rotation {
  readonly current: string;
  /** @default [] */
  readonly previous?: readonly string[];
}

export interface ClientCertificateArgs {
  /** The cluster, checked: the certificate is proved at its host. */
  readonly cluster: Cluster;
  readonly kubeconfig?: pulumi.Input<string>;
  readonly context?: pulumi.Input<string>;
  /**
   * The certificate's user: its common name, to which a rotation appends `-EPOCH`. At most 64 bytes. Nobody else in the
   * cluster should have it: bindings go by name.
   */
  readonly commonName: string;
  /** The user's group: no right follows from it. */
  readonly organization?: string;
  /** @default "RSA2048" */
  readonly keyType?: KeyType;
  /** A request of your own, PEM; its subject must have `commonName`, and no rotation is possible. The key stays with you. */
  readonly csrPem?: pulumi.Input<string>;
  /** The key of that request, PEM, if the certificate is to be proved and to enter auth configs. */
  readonly privateKeyPem?: pulumi.Input<string>;
  /** Lifetime in seconds, at least 600; the signer may shorten it. @default 7776000 (90 days) */
  readonly expirationSeconds?: number;
  /** In seconds. @default a third of the lifetime */
  readonly renewBefore?: number;
  /** @default "auto" */
  readonly approval?: "auto" | "external";
  /** The reviewer's rights, as for a TokenReviewer. @default "tokenreviews" */
  readonly role?: ReviewerRole;
  /** Products with further needs: the rights of those that take certificates are added. @default none */
  readonly products?: readonly Product[];
  /** Any other ClusterRole by name, instead of `role`. */
  readonly clusterRole?: string;
  /** @default none: the name is `commonName` for good */
  readonly rotation?: Rotation;
  /** @default true */
  readonly proveHost?: boolean;
}

/**
 * A user of the cluster who proves themselves by a client certificate, bound to the rights of a token reviewer: for
 * gateways that should hold no bearer token, and for credentials with an end.
 *
 * Certificates can't be revoked. What ends one early is its user's binding: that is why a rotation changes the name.
 */
export class ClientCertificate extends pulumi.ComponentResource {
  readonly commonName: string;
  readonly certificate: SignedCertificate;
  /** The key, PEM. Secret. Undefined where only the request was brought. */
  readonly privateKeyPem: pulumi.Output<string> | undefined;

  constructor(name: string, args: ClientCertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("k8sauth:index:ClientCertificate", name, {}, opts);
    if (args.csrPem && args.rotation) {
      throw new pulumi.ResourceError(
        "rotation: a request of your own has one name; leave rotation or csrPem out.",
        this,
      );
    }
    const { rotation } = args;
    const child = { parent: this };
    const further = furtherRules(args.products, "certificate");
    const roles = args.clusterRole ? { "": args.clusterRole } : reviewerRoles(name, args.role, further, child);
    for (const epoch of rotation?.previous ?? []) this.#bind(resourceName(name, epoch), userName(args, epoch), roles);
    const current = resourceName(name, rotation?.current);
    this.commonName = userName(args, rotation?.current);
    const bindings = this.#bind(current, this.commonName, roles);
    const { csrPem, privateKeyPem } = this.#request(current, args);
    this.privateKeyPem = privateKeyPem;
    this.certificate = new SignedCertificate(
      current,
      {
        kubeconfig: args.kubeconfig,
        context: args.context,
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
    this.registerOutputs({ commonName: this.commonName, notAfter: this.certificate.notAfter });
  }

  #bind(name: string, user: string, roles: ReviewerRoles): k8s.rbac.v1.ClusterRoleBinding[] {
    return Object.entries(roles).map(
      ([suffix, role]) =>
        new k8s.rbac.v1.ClusterRoleBinding(
          `${name}${suffix}`,
          {
            roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
            subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
          },
          { parent: this },
        ),
    );
  }

  #request(name: string, args: ClientCertificateArgs) {
    if (args.csrPem) {
      const brought = args.privateKeyPem === undefined ? undefined : pulumi.secret(args.privateKeyPem);
      return { csrPem: pulumi.output(args.csrPem), privateKeyPem: brought };
    }
    const child = { parent: this };
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

/** The certificate's user in a generation; without generations it is the name itself. */
export function userName({ commonName }: Pick<ClientCertificateArgs, "commonName">, epoch?: string): string {
  return epoch === undefined ? commonName : `${commonName}-${epoch}`;
}

function resourceName(name: string, epoch?: string): string {
  return epoch === undefined ? name : `${name}-${epoch}`;
}

function keyArgs(keyType: KeyType = "RSA2048"): tls.PrivateKeyArgs {
  return keyType.startsWith("RSA")
    ? { algorithm: "RSA", rsaBits: Number(keyType.slice("RSA".length)) }
    : { algorithm: "ECDSA", ecdsaCurve: keyType };
}
