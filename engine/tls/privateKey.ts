import type { KeyObject } from "node:crypto";
import type { CheckResult, Created } from "../provider.ts";
import { type Properties, secret, unknown, withoutSecrets } from "../values.ts";
import { idOf } from "./identity.ts";
import {
  type Algorithm,
  algorithms,
  type CurveName,
  curveNames,
  generateKey,
  publicDer,
  rsaBitsRange,
} from "./keys.ts";
import { openssh } from "./openssh.ts";
import { pem } from "./pem.ts";
import type { ResourceType } from "./resourceType.ts";

/** What the provider fills in, whatever the algorithm: in outputs, never in inputs. */
const defaults = { rsaBits: 2_048, ecdsaCurve: "P224" } as const;

const inputNames: readonly string[] = ["algorithm", "rsaBits", "ecdsaCurve"];

/** `tls.PrivateKey`. */
export const privateKey: ResourceType = { inputs: inputNames, check, complete: withDefaults, create };

function withDefaults(properties: Properties): Properties {
  const { rsaBits, ecdsaCurve } = properties;
  return { ...properties, rsaBits: rsaBits ?? defaults.rsaBits, ecdsaCurve: ecdsaCurve ?? defaults.ecdsaCurve };
}

function check(news: Properties): CheckResult {
  const failures: { property: string; reason: string }[] = [];
  const fail = (property: string, reason: string) => failures.push({ property, reason });
  for (const key of Object.keys(news)) {
    if (!inputNames.includes(key)) fail(key, `is no input of it (${inputNames.join(", ")})`);
  }
  const { algorithm, rsaBits, ecdsaCurve } = withoutSecrets(withDefaults(news));
  if (algorithm !== unknown && !(algorithms as readonly unknown[]).includes(algorithm)) {
    fail("algorithm", `must be one of ${algorithms.join(", ")}`);
  }
  if (ecdsaCurve !== unknown && !(curveNames as readonly unknown[]).includes(ecdsaCurve)) {
    fail("ecdsaCurve", `must be one of ${curveNames.join(", ")}`);
  }
  if (rsaBits !== unknown && !isSize(rsaBits)) {
    fail("rsaBits", `must be a whole number from ${rsaBitsRange.least} to ${rsaBitsRange.most}`);
  }
  return { inputs: news, failures };
}

async function create(inputs: Properties): Promise<Created> {
  const { algorithm, rsaBits, ecdsaCurve } = withoutSecrets(withDefaults(inputs));
  const key = await generateKey(algorithm as Algorithm, rsaBits as number, ecdsaCurve as CurveName);
  const derived = deriveOutputs(key);
  return { id: derived.id, outputs: { ...withDefaults(inputs), ...derived } };
}

/** All that follows from a private key, under the names of the resource's outputs. */
export function deriveOutputs(key: KeyObject): Properties & { readonly id: string } {
  const spki = publicDer(key);
  const ssh = openssh(key);
  const pkcs8 = String(key.export({ type: "pkcs8", format: "pem" }));
  return {
    // The version of the provider's own schema: without it, the provider would upgrade the state that it finds.
    __meta: '{"schema_version":"1"}',
    __pulumi_raw_state_delta: { obj: {} },
    id: idOf(spki),
    privateKeyOpenssh: secret(ssh.privateKey),
    privateKeyPem: secret(traditional(key) ?? pkcs8),
    privateKeyPemPkcs8: secret(pkcs8),
    publicKeyFingerprintMd5: ssh.md5,
    publicKeyFingerprintSha256: ssh.sha256,
    publicKeyOpenssh: ssh.publicKey,
    publicKeyPem: pem("PUBLIC KEY", spki),
  };
}

/** PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`); Ed25519 has no such form. */
function traditional(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType === "rsa") return String(key.export({ type: "pkcs1", format: "pem" }));
  if (key.asymmetricKeyType === "ec") return String(key.export({ type: "sec1", format: "pem" }));
  return undefined;
}

function isSize(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= rsaBitsRange.least && Number(value) <= rsaBitsRange.most;
}
