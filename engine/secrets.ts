import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { EngineError } from "./errors.ts";

/**
 * Pulumi's passphrase secrets provider: AES-256-GCM under a key that PBKDF2-SHA256 derives from the passphrase with
 * 1,000,000 rounds. The salt text `v1:SALT:v1:NONCE:CIPHERTEXT` (base64) carries the encrypted word `pulumi`, by which
 * a passphrase is recognised as right. Values are `v1:NONCE:CIPHERTEXT+TAG`.
 */
export interface Crypter {
  /** What `encryptionsalt` in the stack's settings and `salt` in its state hold. */
  readonly salt: string;
  encrypt(plaintext: string): string;
  decrypt(ciphertext: string): string;
}

const rounds = 1_000_000;
const check = "pulumi";
const tagLength = 16;
const derive = promisify(pbkdf2);

/** A crypter for a new stack: a fresh salt under the given passphrase. */
export async function createCrypter(passphrase: string): Promise<Crypter> {
  const salt = randomBytes(8);
  const key = await derive(passphrase, salt, rounds, 32, "sha256");
  return crypter(key, `v1:${salt.toString("base64")}:${encryptWith(key, check)}`);
}

/** The crypter of an existing stack. Throws `PASSPHRASE_WRONG` when the passphrase is not the one of the salt. */
export async function openCrypter(passphrase: string, salt: string): Promise<Crypter> {
  const match = /^v1:([^:]+):(v1:[^:]+:[^:]+)$/.exec(salt);
  if (!match) {
    throw new EngineError(
      "STATE_CORRUPT",
      "The stack's encryption salt is not of the form v1:SALT:v1:NONCE:CIPHERTEXT.",
    );
  }
  const key = await derive(passphrase, Buffer.from(match[1] as string, "base64"), rounds, 32, "sha256");
  const result = crypter(key, salt);
  let word: string | undefined;
  try {
    word = result.decrypt(match[2] as string);
  } catch {
    // A wrong key fails GCM's authentication: the same answer as a wrong word.
  }
  if (word !== check) {
    throw new EngineError(
      "PASSPHRASE_WRONG",
      "The passphrase is not the one this stack was encrypted with. Set PULUMI_CONFIG_PASSPHRASE or " +
        "PULUMI_CONFIG_PASSPHRASE_FILE to the right one. Nothing was changed.",
    );
  }
  return result;
}

function crypter(key: Buffer, salt: string): Crypter {
  return {
    salt,
    encrypt: (plaintext) => encryptWith(key, plaintext),
    decrypt: (ciphertext) => decryptWith(key, ciphertext),
  };
}

function encryptWith(key: Buffer, plaintext: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const sealed = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1:${nonce.toString("base64")}:${sealed.toString("base64")}`;
}

function decryptWith(key: Buffer, ciphertext: string): string {
  const [version, nonce, data] = ciphertext.split(":");
  if (version !== "v1" || !nonce || !data) {
    throw new EngineError("STATE_CORRUPT", "A secret in the state is not of the form v1:NONCE:CIPHERTEXT.");
  }
  const sealed = Buffer.from(data, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"), { authTagLength: tagLength });
  decipher.setAuthTag(sealed.subarray(-tagLength));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagLength)), decipher.final()]).toString("utf8");
  } catch {
    throw new EngineError(
      "STATE_CORRUPT",
      "A secret could not be decrypted: it was damaged, or encrypted with another key.",
    );
  }
}
