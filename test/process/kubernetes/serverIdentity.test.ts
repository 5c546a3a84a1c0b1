import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KubeClient, KubeError, type KubeErrorCode } from "../../../kubernetes/index.ts";
import { askGo } from "../../goClient/index.ts";
import * as forge from "../../support/crypto/forgery.ts";
import { answer, type LocalServer, localServer } from "../../support/server.ts";

const host = "api.internal";
const { CN, sequence, tagged, element, forgeExtension, CONTEXT_SPECIFIC } = forge;
const { BOOLEAN, OCTETSTRING } = forge.asn1.Type;

const rsa = (modulusLength = 2048) => generateKeyPairSync("rsa", { modulusLength });
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });
const leafKey = rsa();
const names = (...values: readonly (readonly [tag: number, value: string])[]) =>
  forgeExtension(
    "2.5.29.17",
    sequence(...values.map(([tag, value]) => forge.asn1.create(CONTEXT_SPECIFIC, tag, false, value))),
    false,
  );
const san = names([2, host]);
const octets = (value: string) => element(OCTETSTRING, value);
const constraint = (name: string) =>
  forgeExtension("2.5.29.30", sequence(tagged(0, sequence(forge.asn1.create(CONTEXT_SPECIFIC, 2, false, name)))));

type Options = forge.CertificateOptions;

interface Case {
  readonly what: string;
  /** On top of a server's certificate for the host. */
  readonly leaf?: Options;
  readonly key?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** On top of a CA's certificate. */
  readonly ca?: Options;
  /** The name that the certificate must have. @default the host */
  readonly name?: string;
  readonly code?: KubeErrorCode;
}

const serverUsage = ["1.3.6.1.5.5.7.3.1"];
const bareLeaf = (...extensions: NonNullable<Options["extensions"]>): Options => ({ bare: true, extensions });

const accepted: readonly Case[] = [
  { what: "an RSA key" },
  { what: "a key on P-256", key: ec("prime256v1") },
  { what: "a key on P-384", key: ec("secp384r1") },
  { what: "an Ed25519 key", key: generateKeyPairSync("ed25519") },
  { what: "a wildcard for a whole label", leaf: bareLeaf(names([2, "*.a.internal"])), name: "api.a.internal" },
  { what: "an address", leaf: bareLeaf(names([7, "\x7f\0\0\x01"])), name: "127.0.0.1" },
  { what: "names in capitals", leaf: bareLeaf(names([2, "API.internal"])) },
  {
    what: "a CA without key usages",
    ca: { bare: true, extensions: [forgeExtension("2.5.29.19", sequence(element(BOOLEAN, "\xff")))] },
  },
  { what: "names that the CA allows", ca: { extensions: [constraint("internal")] } },
  { what: "a root that signed itself with SHA-1", ca: { algorithm: "rsa-sha1" } },
];

const refused: readonly Case[] = [
  {
    what: "a common name and no alternative names",
    leaf: { ...bareLeaf(), subject: [[CN, host]] },
    code: "KUBE_TLS_NAME",
  },
  { what: "another name", leaf: bareLeaf(names([2, "other.internal"])), code: "KUBE_TLS_NAME" },
  {
    what: "a wildcard for part of a label",
    leaf: bareLeaf(names([2, "a*.internal.example"])),
    name: "api.internal.example",
    code: "KUBE_TLS_NAME",
  },
  {
    what: "a wildcard for two labels",
    leaf: bareLeaf(names([2, "*.internal"])),
    name: "api.a.internal",
    code: "KUBE_TLS_NAME",
  },
  {
    what: "an address as a DNS name",
    leaf: bareLeaf(names([2, "127.0.0.1"])),
    name: "127.0.0.1",
    code: "KUBE_TLS_NAME",
  },
  { what: "a negative serial number", leaf: { serial: "\x80" } },
  { what: "a CA with a negative serial number", ca: { serial: "\xff\x01" } },
  { what: "a signature with SHA-1", leaf: { algorithm: "rsa-sha1" } },
  { what: "an RSA key of 512 bits", key: rsa(512) },
  { what: "a key on secp256k1", key: ec("secp256k1") },
  { what: "a key on brainpoolP256r1", key: ec("brainpoolP256r1") },
  { what: "an Ed448 key", key: generateKeyPairSync("ed448") },
  { what: "an extension twice", leaf: { extensions: [san] } },
  {
    what: "an authority key identifier that is critical",
    leaf: { extensions: [forgeExtension("2.5.29.35", sequence())] },
  },
  {
    what: "a subject key identifier that is critical",
    leaf: { extensions: [forgeExtension("2.5.29.14", octets("abc"))] },
  },
  { what: "a name that is not ASCII", leaf: bareLeaf(names([2, host], [2, "b\xfccher.internal"])) },
  { what: "an address of five bytes", leaf: bareLeaf(names([2, host], [7, "\x7f\0\0\x01\x01"])) },
  { what: "a name that the CA does not allow", ca: { extensions: [constraint("example.com")] } },
  { what: "the usage of clients", leaf: { extended: ["1.3.6.1.5.5.7.3.2"] }, code: "KUBE_TLS_INVALID" },
  { what: "a CA without basic constraints", ca: { bare: true } },
  { what: "a CA that may not sign", ca: { keyUsage: 0xa0 } },
  { what: "an unknown critical extension", leaf: { extensions: [forgeExtension("1.2.3.4", octets("x"))] } },
  { what: "an expiry in the past", leaf: { notAfter: new Date(Date.now() - 60_000) } },
];

const cases = [...accepted, ...refused];
let servers: LocalServer[];
let gos: readonly string[];

const caOf = ({ ca = {} }: Case) =>
  forge.forgeCertificate({ ca: true, subject: [[CN, "a CA of the tests"]], keyUsage: 0x04, extended: [], ...ca });

beforeAll(async () => {
  servers = await Promise.all(
    cases.map(({ leaf = {}, key = leafKey }) => {
      const certPem = forge.forgeCertificate({
        subject: [[CN, "server"]],
        publicKey: key.publicKey,
        extended: serverUsage,
        dnsNames: [host],
        ...leaf,
      });
      const keyPem = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      return localServer((_request, response) => answer(response, 200, {}), { certPem, keyPem }, "DEFAULT@SECLEVEL=0");
    }),
  );
  const handshakes = cases.map((one, index) => ({
    address: `127.0.0.1:${servers[index]?.port}`,
    name: one.name ?? host,
    ca: caOf(one),
  }));
  gos = (await askGo({ handshakes })).handshakes;
}, 60_000);
afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server[Symbol.asyncDispose]()));
});

async function ours(one: Case): Promise<KubeError | undefined> {
  const { name: tlsServerName = host } = one;
  const { url = "" } = servers[cases.indexOf(one)] ?? {};
  using client = KubeClient.direct({ server: url, caPem: caOf(one), tlsServerName }, { attempts: 1 });
  const error = await client.get("/version").then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined) expect(error).toBeInstanceOf(KubeError);
  return error as KubeError | undefined;
}

describe("a server's certificate that Go accepts is accepted", () => {
  test.each(accepted)("$what", async (one) => {
    expect(gos[cases.indexOf(one)]).toBe("");
    expect((await ours(one))?.message).toBeUndefined();
  });
});

describe("a server's certificate that Go refuses is refused, and not called unreachable", () => {
  test.each(refused)("$what", async (one) => {
    expect(gos[cases.indexOf(one)]).not.toBe("");
    const error = await ours(one);
    expect(error?.code).toMatch(/^KUBE_TLS_/);
    if (one.code !== undefined) expect(error?.code).toBe(one.code);
  });
});
