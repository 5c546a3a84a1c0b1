import { createHash, type KeyObject, randomBytes } from "node:crypto";
import { pem } from "./pem.ts";

/** A key pair as OpenSSH writes it; all texts are empty for curves that it does not know. */
export interface OpensshKey {
  /** `OPENSSH PRIVATE KEY`, without a passphrase and comment. */
  readonly privateKey: string;
  /** A line of `authorized_keys`, with a newline at the end. */
  readonly publicKey: string;
  /** `aa:bb:…`, 16 bytes. */
  readonly md5: string;
  /** `SHA256:` and Base64 without padding. */
  readonly sha256: string;
}

/** OpenSSH's names of the curves (RFC 5656, section 10.1); it has none for P-224. */
const curves: Readonly<Record<string, string>> = {
  prime256v1: "nistp256",
  secp384r1: "nistp384",
  secp521r1: "nistp521",
};

/** The fields of a key: its type, the public ones, and the private ones in the order of the private key file. */
interface Fields {
  readonly type: string;
  readonly public: readonly Buffer[];
  readonly private: readonly Buffer[];
}

/** Writes an RSA, ECDSA or Ed25519 key as OpenSSH does (PROTOCOL.key of OpenSSH; RFC 4253, 5656, 8709). */
export function openssh(key: KeyObject): OpensshKey {
  const fields = fieldsOf(key);
  if (!fields) return { privateKey: "", publicKey: "", md5: "", sha256: "" };
  const blob = strings(Buffer.from(fields.type), ...fields.public);
  return {
    privateKey: pem("OPENSSH PRIVATE KEY", privateFile(fields, blob)),
    publicKey: `${fields.type} ${blob.toString("base64")}\n`,
    md5: (createHash("md5").update(blob).digest("hex").match(/../g) as string[]).join(":"),
    sha256: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  };
}

function fieldsOf(key: KeyObject): Fields | undefined {
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (key.asymmetricKeyType === "ec" && !curve) return undefined;
  const jwk = key.export({ format: "jwk" });
  const bytes = (name: string) => Buffer.from(String(jwk[name]), "base64url");
  const number = (name: string) => mpint(bytes(name));
  if (key.asymmetricKeyType === "rsa") {
    return {
      type: "ssh-rsa",
      public: [number("e"), number("n")],
      private: ["n", "e", "d", "qi", "p", "q"].map(number),
    };
  }
  if (curve) {
    const point = Buffer.concat([Buffer.of(4), bytes("x"), bytes("y")]);
    const shared = [Buffer.from(curve), point];
    return { type: `ecdsa-sha2-${curve}`, public: shared, private: [...shared, number("d")] };
  }
  const point = bytes("x");
  return { type: "ssh-ed25519", public: [point], private: [point, Buffer.concat([bytes("d"), point])] };
}

function privateFile(fields: Fields, publicBlob: Buffer): Buffer {
  const check = randomBytes(4);
  const noComment = Buffer.alloc(0);
  const secrets = Buffer.concat([check, check, strings(Buffer.from(fields.type), ...fields.private, noComment)]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secrets.length % 8)) % 8));
  const none = Buffer.from("none");
  return Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    strings(none, none, Buffer.alloc(0)),
    uint32(1),
    strings(publicBlob, Buffer.concat([secrets, padding])),
  ]);
}

/** `string`s of RFC 4251: each after its length. */
function strings(...values: readonly Buffer[]): Buffer {
  return Buffer.concat(values.flatMap((value) => [uint32(value.length), value]));
}

/** The contents of an `mpint` of RFC 4251: no needless zeros, but one where the number would look negative. */
function mpint(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.alloc(0) : bytes.subarray(start);
  return (digits[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
