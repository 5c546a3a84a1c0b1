import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { keyTypes } from "../../../components/clientCertificate.ts";
import { ClientCertificate } from "../../../components/index.ts";
import { caPem, listed, only, ownLabels, render, resolved, secret } from "./render.ts";

const apiGroup = "rbac.authorization.k8s.io";

test("by default: a key, its request, the signed certificate, and a binding for its user", async () => {
  // WHEN
  const { component, objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway" }),
  );

  // THEN
  expect(listed(objects)).toEqual([
    "k8sauth:index:SignedCertificate client",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole client",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding client",
    "tls:index/certRequest:CertRequest client",
    "tls:index/privateKey:PrivateKey client",
  ]);
  expect(only(objects, "PrivateKey")).toEqual({ algorithm: "RSA", rsaBits: 2048 });
  expect(only(objects, "CertRequest")).toEqual({ privateKeyPem: secret("a key"), subject: { commonName: "gateway" } });
  expect(only(objects, "ClusterRoleBinding")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { labels: ownLabels },
    roleRef: { apiGroup, kind: "ClusterRole", name: "client-generated" },
    subjects: [{ apiGroup, kind: "User", name: "gateway" }],
  });
  expect(only(objects, "SignedCertificate")).toEqual({
    host: "https://api.example:6443",
    caPem,
    csrPem: "a request",
    privateKeyPem: secret("a key"),
    proof: "tokenReview",
  });
  expect(component.commonName).toBe("gateway");
});

test("the user's group is the certificate's organization", async () => {
  // WHEN
  const { objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", organization: "gateways" }),
  );

  // THEN
  expect(only(objects, "CertRequest")).toMatchObject({ subject: { commonName: "gateway", organization: "gateways" } });
});

test.each(keyTypes)("the key has the requested type: %s", async (keyType) => {
  // GIVEN
  const expected = keyType.startsWith("RSA")
    ? { algorithm: "RSA", rsaBits: Number(keyType.slice(3)) }
    : { algorithm: "ECDSA", ecdsaCurve: keyType };

  // WHEN
  const { objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", keyType }),
  );

  // THEN
  expect(only(objects, "PrivateKey")).toEqual(expected);
});

test("a rotation has another key, name and binding, and keeps the bindings of previous epochs", async () => {
  // GIVEN
  const rotation = { current: "2026-q4", previous: ["2026-q3"] };

  // WHEN
  const { component, objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", rotation }),
  );

  // THEN
  expect(listed(objects)).toEqual([
    "k8sauth:index:SignedCertificate client-2026-q4",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole client",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding client-2026-q3",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding client-2026-q4",
    "tls:index/certRequest:CertRequest client-2026-q4",
    "tls:index/privateKey:PrivateKey client-2026-q4",
  ]);
  const users = objects.flatMap(({ inputs }) => (inputs.subjects as { name: string }[] | undefined) ?? []);
  expect(users.map(({ name }) => name).sort()).toEqual(["gateway-2026-q3", "gateway-2026-q4"]);
  expect(only(objects, "CertRequest")).toMatchObject({ subject: { commonName: "gateway-2026-q4" } });
  expect(component.commonName).toBe("gateway-2026-q4");
});

test("a supplied request is signed, and no key is created; its key is a secret", async () => {
  // GIVEN
  const brought = { csrPem: "their request", privateKeyPem: "their key" };

  // WHEN
  const { component, objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", ...brought }),
  );

  // THEN
  expect(objects.filter(({ type }) => type.startsWith("tls:"))).toEqual([]);
  expect(only(objects, "SignedCertificate")).toMatchObject({
    csrPem: "their request",
    privateKeyPem: secret("their key"),
  });
  const key = component.privateKeyPem as pulumi.Output<string>;
  expect([await pulumi.isSecret(key), await resolved(key)]).toEqual([true, "their key"]);
});

test("a supplied request without its key has no key in the outputs", async () => {
  // WHEN
  const { component } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", csrPem: "their request" }),
  );

  // THEN
  expect(component.privateKeyPem).toBeUndefined();
});

test("a rotation of a supplied request is refused", async () => {
  const args = { commonName: "gateway", csrPem: "their request", rotation: { current: "2026-q4" } };
  await expect(render((cluster) => new ClientCertificate("client", { cluster, ...args }))).rejects.toThrow(
    "rotation: ",
  );
});

test("another ClusterRole replaces the reviewer's, and the certificate is proved by a SelfSubjectReview", async () => {
  // WHEN
  const { objects } = await render(
    (cluster) => new ClientCertificate("client", { cluster, commonName: "gateway", clusterRole: "view" }),
  );

  // THEN
  expect(objects.filter(({ type }) => type.endsWith(":ClusterRole"))).toEqual([]);
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({ roleRef: { name: "view" } });
  expect(only(objects, "SignedCertificate")).toMatchObject({ proof: "self" });
});
