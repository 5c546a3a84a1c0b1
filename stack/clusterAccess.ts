import * as pulumi from "@pulumi/pulumi";
import type { ClientCertificate } from "../components/clientCertificate.ts";
import type { Cluster } from "../components/cluster.ts";
import type { RancherKey } from "../components/resources/rancherKey.ts";
import type { TokenReviewer } from "../components/tokenReviewer.ts";
import type { CertificateAccess, ClusterAccess, RancherAccess, TokenAccess } from "../gateways/index.ts";
import type { Flows } from "./flows.ts";
import type { Settings } from "./settings/index.ts";

/** Access of a gateway to the cluster, by flow. */
export interface StackAccess {
  /** The neutral core of every auth config. */
  readonly core: pulumi.Output<ClusterAccess>;
  /** Secret. */
  readonly token?: pulumi.Output<TokenAccess>;
  /** Secret. */
  readonly certificate?: pulumi.Output<CertificateAccess>;
  /** Secret. */
  readonly rancher?: pulumi.Output<RancherAccess>;
  /** Access of a gateway that runs in the cluster. The host is the address that pods use. */
  readonly gatewayAccount?: pulumi.Output<ClusterAccess>;
}

/** Adds the credential of each flow to the neutral core. */
export function stackAccess(settings: Settings, cluster: Cluster, flows: Flows): StackAccess {
  const { audience = "" } = settings;
  const issuer = flows.token?.token.issuer ?? cluster.issuer;
  const core = pulumi
    .all([cluster.host, cluster.caPem, issuer])
    .apply(([host, caPem, knownIssuer]): ClusterAccess => ({ host, caPem, issuer: knownIssuer, audience }));
  return {
    core,
    token: flows.token && tokenAccess(core, flows.token),
    certificate: flows.certificate && certificateAccess(core, flows.certificate),
    rancher: flows.rancher && rancherAccess(core, flows.rancher),
    gatewayAccount:
      flows.gatewayAccount &&
      pulumi
        .all([core, flows.gatewayAccount.binding.metadata.name])
        .apply(([access]) => ({ ...access, host: "https://kubernetes.default.svc", caPem: "" })),
  };
}

function tokenAccess(core: pulumi.Output<ClusterAccess>, { token }: TokenReviewer): pulumi.Output<TokenAccess> {
  return pulumi.secret(pulumi.all([core, token.token]).apply(([access, jwt]) => ({ ...access, token: jwt })));
}

function rancherAccess(core: pulumi.Output<ClusterAccess>, { server, caPem, apiKey, clusterId }: RancherKey) {
  return pulumi.secret(
    pulumi
      .all([core, server, caPem, apiKey, clusterId])
      .apply(
        ([access, host, ca, key, id]): RancherAccess => ({ ...access, host, caPem: ca, apiKey: key, clusterId: id }),
      ),
  );
}

/** Undefined if the private key of a supplied request is not known, because a gateway cannot use the certificate without it. */
function certificateAccess(core: pulumi.Output<ClusterAccess>, { certificate, privateKeyPem }: ClientCertificate) {
  if (privateKeyPem === undefined) return undefined;
  return pulumi.secret(
    pulumi
      .all([core, certificate.certificatePem, privateKeyPem])
      .apply(
        ([access, certificatePem, keyPem]): CertificateAccess => ({ ...access, certificatePem, privateKeyPem: keyPem }),
      ),
  );
}
