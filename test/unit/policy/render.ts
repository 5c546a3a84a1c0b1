/** Renders programs without an engine: their own code runs, and every resource that they register is recorded. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { vi } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { jwt } from "../gateways/fixtures.ts";
import { now, type Resource } from "./judge.ts";

/** A resource as the engine hands it to a policy pack: its inputs before it is created, its outputs afterwards. */
export interface Rendered extends Resource {
  readonly name: string;
  readonly urn: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

type Values = Readonly<Record<string, unknown>>;

/** Renders this repository's program with some settings. */
export async function renderStack(settings: Values): Promise<readonly Rendered[]> {
  // A value that is no text is JSON, as the engine passes it.
  const config = Object.entries({ context: "prod", ...settings }).map(([key, value]) => [
    `k8sauth:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(config));
  // The program is the module itself: it has to be evaluated again for each stack.
  vi.resetModules();
  return render(() => import("../../../index.ts"));
}

export async function render(program: () => unknown): Promise<readonly Rendered[]> {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, id }) => ({
        id: id || `${name}-id`,
        state: { ...inputs, ...outputsOf(type, name, unwrapped(inputs) as Values) },
      }),
      call: ({ token }) => {
        throw new Error(`The program calls ${token}, for which there is no answer.`);
      },
    },
    "k8sauth",
    "dev",
    false,
    "organization",
  );
  const rendered = recordRegistrations();
  await program();
  await pulumi.runtime.disconnect();
  return rendered;
}

interface Registration {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getObject(): unknown;
  getAdditionalsecretoutputsList(): string[];
}

interface Registered {
  getUrn(): string;
  getObject(): unknown;
}

type Answer = (error: Error | null, response: Registered | undefined) => void;

/** Mocks see neither a resource's URN nor its options, by which some policies go. */
function recordRegistrations(): Rendered[] {
  const rendered: Rendered[] = [];
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    registerResource(request: Registration, answer: Answer): Promise<void>;
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, answer) =>
    register(request, (error, response) => {
      if (response !== undefined)
        rendered.push({
          type: request.getType(),
          name: request.getName(),
          urn: response.getUrn(),
          props: propertiesOf(request),
          outputs: propertiesOf(response),
          additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
        });
      answer(error, response);
    });
  return rendered;
}

function propertiesOf(message: { getObject(): unknown }): Values {
  return unwrapped(pulumi.runtime.deserializeProperties(message.getObject() as never)) as Values;
}

/** A value without the marks of secrets, as policy packs receive it. */
function unwrapped(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return unwrapped(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unwrapped(member)]));
}

const caPem = makeCertificate({ commonName: "cluster" }).certPem;

/** Outputs that providers add to the inputs: no more than the program and the policies read. */
function outputsOf(type: string, name: string, inputs: Values): Values {
  if (type.startsWith("kubernetes:")) {
    const metadata = (inputs.metadata ?? {}) as Values;
    return { metadata: { name: `${name}-1a2b3c4d`, uid: randomUUID(), ...metadata } };
  }
  return providers[type]?.(inputs) ?? {};
}

const providers: Readonly<Record<string, (inputs: Values) => Values>> = {
  "k8sauth:index:Cluster": ({ host = "https://api.example.com:6443" }) => ({
    host,
    caPem,
    issuer: "https://issuer.example.com",
    jwks: '{"keys":[]}',
    version: "v1.36.3",
    uid: randomUUID(),
  }),
  "k8sauth:index:ReviewerToken": ({ mode, expirationSeconds }) => ({
    token: jwt,
    audienceAcceptedByDefault: true,
    ...(mode === "tokenRequest" ? dated(expirationSeconds ?? 30 * day) : { notBefore: "", notAfter: "" }),
  }),
  "k8sauth:index:SignedCertificate": ({ privateKeyPem, expirationSeconds = 90 * day }) => ({
    certificatePem: certificateFor(privateKeyPem as string, Number(expirationSeconds) / day),
    fingerprint: "AB:CD",
    ...dated(expirationSeconds),
  }),
  "k8sauth:index:RancherKey": ({ server }) => ({ server, caPem, keyName: "token-abcde", keySha256: "", notAfter: "" }),
  "k8sauth:index:AkeylessAuthMethod": () => ({ accessId: "p-0123456789ab", privateKey: "" }),
  "k8sauth:index:AkeylessGatewayAuthConfig": ({ config }) => {
    const { name, "access-id": accessId } = config as Values;
    return { name, accessId };
  },
  "tls:index/privateKey:PrivateKey": ({ algorithm, rsaBits }) => {
    if (algorithm !== "RSA") throw new Error(`There is no stand-in for keys of the algorithm ${String(algorithm)}.`);
    return rsaKey(Number(rsaBits));
  },
  "tls:index/certRequest:CertRequest": () => ({ certRequestPem: "-----BEGIN CERTIFICATE REQUEST-----" }),
};

const rsaKeys = new Map<number, Values>();

/** One key for each length, because a new one takes time and no policy compares keys. */
function rsaKey(modulusLength: number): Values {
  const known = rsaKeys.get(modulusLength);
  if (known) return known;
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const key = {
    privateKeyPem: privateKey.export({ type: "pkcs1", format: "pem" }),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }),
  };
  rsaKeys.set(modulusLength, key);
  return key;
}

const day = 24 * 3600;

/** Dates of a credential that was issued when the policies look at it. */
function dated(seconds: unknown): Values {
  const notAfter = new Date(now.getTime() + Number(seconds) * 1_000).toISOString();
  return { notBefore: now.toISOString(), notAfter };
}

/** A certificate for a key, valid for so many days. */
function certificateFor(keyPem: string, days: number): string {
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-policy-"));
  try {
    const keyFile = join(folder, "key");
    writeFileSync(keyFile, keyPem);
    const subject = ["-subj", "/CN=gateway", "-addext", "basicConstraints=critical,CA:FALSE"];
    const args = ["req", "-x509", "-new", "-key", keyFile, "-days", String(days), ...subject];
    return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
