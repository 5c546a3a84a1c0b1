/** Reads the serving certificate, its key and the CA of client certificates. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { ServerOptions } from "node:https";
import { createSecureContext } from "node:tls";
import type { TlsFiles } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { readText } from "../net/fileSource.ts";
import { checkCa } from "../net/httpsClient.ts";

export interface TlsMaterial {
  readonly options: ServerOptions;
  /** Milliseconds since 1970. */
  readonly notAfterMs: number;
  /** The content of all files, to detect changes. */
  readonly content: string;
}

/** @throws VerifierError FILE_UNREADABLE, TLS_INVALID, CA_INVALID */
export async function readTls({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    readText(certFile),
    readText(keyFile),
    clientCaFile === undefined ? undefined : readText(clientCaFile),
  ]);
  if (ca !== undefined && clientCaFile !== undefined) checkCa(ca, clientCaFile);
  const leaf = checkPair(cert, key, certFile, keyFile);
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  return {
    options: { cert, key, ...clients },
    notAfterMs: leaf.validToDate.getTime(),
    content: JSON.stringify([cert, key, ca]),
  };
}

/** Checks that certificate and key belong together. While the two files are replaced, one can be new and the other old. */
function checkPair(cert: string, key: string, certFile: string, keyFile: string): X509Certificate {
  let leaf: X509Certificate;
  let belongs: boolean;
  try {
    leaf = new X509Certificate(cert);
    belongs = leaf.checkPrivateKey(createPrivateKey(key));
    createSecureContext({ cert, key });
  } catch {
    throw new VerifierError(
      "TLS_INVALID",
      `${certFile} or ${keyFile} cannot be read: expected a PEM certificate chain and its PEM private key.`,
    );
  }
  if (belongs) return leaf;
  throw new VerifierError(
    "TLS_INVALID",
    `The key in ${keyFile} is not the one of the first certificate in ${certFile}.`,
  );
}
