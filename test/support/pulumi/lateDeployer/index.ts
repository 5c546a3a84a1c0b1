/** A program whose deployer depends on a resource: a preview knows the kubeconfig only once that resource exists. For tests. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { Cluster, Provider, TokenReviewer } from "../../../../components/index.ts";

const config = new pulumi.Config();
const algorithm = config.get("certificateKeyType") === "P256" ? "ECDSA" : "RSA";
const origin = new tls.PrivateKey("origin", { algorithm });
const kubeconfig = pulumi.all([config.requireSecret("kubeconfig"), origin.publicKeyPem]).apply(([path]) => path);

const deployer = new Provider("cluster", { kubeconfig });
const target = new Cluster("cluster", { allowLoopback: true }, { provider: deployer });
const kubernetes = new k8s.Provider("cluster", { kubeconfig, clusterIdentifier: target.uid });
const reviewer = new TokenReviewer("reviewer", { cluster: target }, { providers: [kubernetes, deployer] });

export const subject = reviewer.token.subject;
