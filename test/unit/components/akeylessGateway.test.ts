import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { AkeylessGateway, type AkeylessGatewayArgs } from "../../../components/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { keyPair } from "../../support/akeyless.ts";

const { signingKey, publicKey } = keyPair();
const caPem = makeCertificate({ commonName: "ca" }).certPem;
const host = "https://api.example.com:6443";
let registered: pulumi.runtime.MockResourceArgs[] = [];

await pulumi.runtime.setMocks(
  {
    newResource(args) {
      registered.push(args);
      const key = { privateKeyPem: Buffer.from(signingKey, "base64").toString(), publicKeyPem: publicKey };
      const method = { accessId: "p-0123456789ab" };
      return { id: args.name, state: { ...args.inputs, ...(args.type.startsWith("tls:") ? key : method) } };
    },
    call: ({ inputs }) => inputs,
  },
  "shop",
  "dev",
  false,
);

/** The inputs of what the component creates, by type and name. */
async function render(args: Partial<AkeylessGatewayArgs>): Promise<Record<string, Record<string, unknown>>> {
  registered = [];
  const gateway = new AkeylessGateway("gateway", {
    gatewayApi: "https://gateway.example.com:8081",
    authMethod: { name: "/k8s/shop", boundNamespaces: ["shop"] },
    access: { token: { host, caPem, issuer: "", audience: "", token: "e30.e30.c2lnbmF0dXJl" } },
    authConfigName: "k8s-conf",
    ...args,
  });
  await new Promise((resolve) => pulumi.output(gateway.authConfigName).apply(resolve));
  await pulumi.runtime.disconnect();
  return Object.fromEntries(
    registered.map(({ type, name, inputs }) => [
      `${type.split(":").at(-1)} ${name}`,
      inputs as Record<string, unknown>,
    ]),
  );
}

test("a role with rules is created, a role without rules must exist, and both are associated with their claims", async () => {
  const rules = [{ path: "/shop/*", capabilities: ["read" as const] }];
  const rendered = await render({
    roles: {
      "shop/reader": { claims: { namespace: "shop" }, rules, description: "reads", caseSensitive: false },
      "/shop/writer": {},
    },
  });
  expect(rendered["AkeylessRole gateway-/shop/reader"]).toMatchObject({
    name: "shop/reader",
    rules,
    description: "reads",
  });
  expect(rendered).not.toHaveProperty("AkeylessRole gateway-/shop/writer");
  expect(rendered["AkeylessRoleAssociation gateway-/shop/reader"]).toMatchObject({
    roleName: "shop/reader",
    authMethodName: "/k8s/shop",
    accessId: "p-0123456789ab",
    subClaims: { namespace: "shop" },
    caseSensitive: false,
  });
  expect(rendered["AkeylessRoleAssociation gateway-/shop/writer"]).toMatchObject({ roleName: "/shop/writer" });
});

test("the login that proves a push uses the Configuration Manager, and the config has the token's lifetime", async () => {
  const gatewayUrl = "https://gateway.example.com/manager";
  const rendered = await render({ gatewayUrl, tokenExpiration: 600, proof: { account: "shop/shop" } });
  const { config, ...inputs } = rendered["AkeylessGatewayAuthConfig gateway-token"] ?? {};
  expect(inputs).toMatchObject({ gatewayUrl, proofAccount: "shop/shop" });
  expect(JSON.stringify(config)).toContain('"token-exp":600');
});

test("the registered certificate has its tags, description and Event Forwarder", async () => {
  const notice = { name: "/k8s/certificate", certificatePem: caPem, tags: ["prod"], description: "ours" };
  const rendered = await render({ expiryNotice: { ...notice, days: [30], eventForwarder: "mail" } });
  expect(rendered["AkeylessCertificate gateway"]).toMatchObject({
    ...notice,
    expirationEventIn: ["30"],
    eventForwarder: "mail",
  });
});
