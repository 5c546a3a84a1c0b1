import { generateKeyPairSync } from "node:crypto";
import type { CertificateAccess, TokenAccess } from "../../../gateways/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JWT in form, without a real signature. */
export const jwt = `${part({ alg: "RS256", kid: "k" })}.${part({ sub: "system:serviceaccount:n:reviewer" })}.c2lnbmF0dXJl`;
const lf = (text: string) => text.replaceAll("\r\n", "\n");
export const ca = lf(makeCertificate({ commonName: "ca" }).certPem);
const made = makeCertificate({ commonName: "reviewer" });
export const client = { certPem: lf(made.certPem), keyPem: lf(made.keyPem) };

export const tokenAccess: TokenAccess = {
  host: "https://api.example.com:6443",
  caPem: ca,
  issuer: "https://issuer.example.com",
  audience: "",
  token: jwt,
};

const { token: _, ...core } = tokenAccess;
export const certificateAccess: CertificateAccess = {
  ...core,
  certificatePem: client.certPem,
  privateKeyPem: client.keyPem,
};

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const signingKeyPem = privateKey.export({ type: "pkcs1", format: "pem" }) as string;
export const base64 = (text: string) => Buffer.from(text).toString("base64");
/** As `base64` without `-w0` prints it. */
export const wrapped = (text: string) => base64(text).replaceAll(/.{76}/g, "$&\n");
