/** Names of objects, labels, users and groups. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stackLabels } from "../../../components/labels.ts";
import { dnsLabel, dnsSubdomain } from "../../../components/names.ts";
import { accountNameLimit, longestEpoch, nameInEpoch } from "../../../components/rotation.ts";
import { localReason } from "../../../kubernetes/cluster/hostReach.ts";
import { readRequest } from "../../../provider/certificate/csr.ts";
import { requireAllowed } from "../../../provider/certificate/csrRules.ts";
import { isProviderError } from "../../../provider/protocol/errors.ts";
import { nameText } from "../../../provider/x509/x509.ts";
import { CN, O, requestPem } from "../../support/crypto/forgery.ts";
import { rejectionOf, runs, textWith, thrownBy } from "./arbitraries.ts";

const signer = "kubernetes.io/kube-apiserver-client";

describe("labels of a stack", () => {
  const word = textWith("prod", "-", ".", "/", "ü").filter((text) => text !== "");
  const stackName = fc.record({ organization: word, project: word, stack: word });

  test("are values that Kubernetes accepts, whatever the stack's name", () => {
    fc.assert(
      fc.property(stackName, (name) => {
        // @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
        for (const value of Object.values(stackLabels(name))) {
          expect(value).toMatch(/^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/);
        }
      }),
    );
  });

  test("tell stacks of different names apart", () => {
    const known = "k8sauth.dev/stack";
    fc.assert(
      fc.property(stackName, word, (name, other) => {
        fc.pre(other.toWellFormed() !== name.stack.toWellFormed());
        expect(stackLabels(name)[known]).not.toBe(stackLabels({ ...name, stack: other })[known]);
      }),
    );
  });
});

test("the name of a token Secret has room for every epoch, and is one that the API server accepts", () => {
  const part = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$/);
  const names = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("."));
  const account = names.filter((name) => name.length <= accountNameLimit);
  const epoch = names.filter((name) => name.length <= longestEpoch);
  fc.assert(
    fc.property(account, epoch, (name, current) => {
      for (const suffix of ["token", "bound-token"]) {
        const secret = nameInEpoch(current, `${name}-${suffix}`);
        expect(secret.length).toBeLessThanOrEqual(253);
        expect(secret).toMatch(dnsSubdomain);
      }
    }),
  );
});

test("names of objects are those of RFC 1123, and no others", () => {
  const text = fc.oneof(fc.stringMatching(/^[a-z0-9.-]{0,12}$/), textWith("a", "-", ".", "A", "\n"));
  const isLabel = (one: string) =>
    one !== "" &&
    [...one].every((c) => "abcdefghijklmnopqrstuvwxyz0123456789-".includes(c)) &&
    !one.startsWith("-") &&
    !one.endsWith("-");
  fc.assert(
    fc.property(text, (name) => {
      expect(dnsLabel.test(name)).toBe(isLabel(name));
      expect(dnsSubdomain.test(name)).toBe(name.split(".").every(isLabel));
    }),
    runs(500),
  );
});

describe("a distinguished name", () => {
  const value = textWith(",", "+", "=", "\\", " ", "#", '"', ";", "<", "\u0000", "\u202e", "system:").filter((text) =>
    text.isWellFormed(),
  );

  test("as text has one reading", () => {
    const names = fc.array(fc.record({ oid: fc.constantFrom(CN, O, "1.2.3"), value }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(names, (name) => {
        expect(readBack(nameText(name))).toEqual(name.map(({ oid, value: text }) => [shortName(oid), text]));
      }),
      runs(500),
    );
  });

  test("of a request is read as it was encoded, and a user or group that is Kubernetes' own is refused", async () => {
    const spelt = fc.mixedCase(fc.constant("system:"));
    const own = fc.tuple(fc.constantFrom("", " ", "\t"), spelt, value).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(fc.oneof(value, own), fc.option(fc.oneof(value, own)), async (user, group) => {
        const subject = [[CN, user], ...(group === null ? [] : [[O, group] as const])] as const;
        const request = await readRequest(requestPem({ subject }));
        expect(request).toMatchObject({ commonName: user, organizations: group === null ? [] : [group] });
        const refused = thrownBy(() => requireAllowed(request, signer));
        if (refused !== undefined) expect(isProviderError(refused, "CSR_SUBJECT_REFUSED"), String(refused)).toBe(true);
        const isBad = [user, ...(group === null ? [] : [group])].some(
          (name) => /^\s*system:/i.test(name) || /\p{C}/u.test(name) || Buffer.byteLength(name) > 64 || name === "",
        );
        if (isBad) expect(refused).toBeDefined();
      }),
      runs(60),
    );
  });
});

test("a request of whatever text is read, or refused with a code", async () => {
  await fc.assert(
    fc.asyncProperty(
      textWith("-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----", "MIIB"),
      async (text) => {
        expect(isProviderError(await rejectionOf(readRequest(text)), "CSR_MALFORMED")).toBe(true);
      },
    ),
  );
});

test("addresses of this machine and of no machine are distinguished in every spelling", () => {
  const last = fc.integer({ min: 0, max: 255 });
  const local = fc.oneof(
    fc.tuple(last, last, last).map((rest) => `127.${rest.join(".")}`),
    fc.tuple(last, last, last).map(([a, b, c]) => `[::ffff:127.${a}.${b}.${c}]`),
    fc.tuple(last, last).map((rest) => `169.254.${rest.join(".")}`),
    last.map((number) => `127.${number}`),
    last.map((number) => `0x7f.0.0.${number}`),
    fc
      .tuple(
        fc.mixedCase(fc.constantFrom("localhost", "a.localhost", "kubernetes.default.svc")),
        fc.constantFrom("", "."),
      )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(local, (host) => {
      const { hostname } = new URL(`https://${host}/`);
      expect(localReason(hostname.replace(/^\[|\]$/g, ""))).toBeDefined();
    }),
  );
});

const shortNames: Readonly<Record<string, string>> = { [CN]: "CN", [O]: "O" };

function shortName(oid: string): string {
  return shortNames[oid] ?? oid;
}

/** Reads a name that is written as RFC 4514 has it: a backslash before a character, or before two hexadecimal digits. */
function readBack(text: string): [string, string][] {
  const attributes: [string, string][] = [];
  let name = "";
  let value: string | undefined;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (character === undefined || (character === "," && value !== undefined)) {
      attributes.push([name, value ?? ""]);
      name = "";
      value = undefined;
    } else if (value === undefined) {
      if (character === "=") value = "";
      else name += character;
    } else if (character === "\\") {
      const hex = /^[0-9a-f]{2}/.exec(text.slice(at + 1))?.[0];
      value += hex === undefined ? text[at + 1] : String.fromCharCode(Number.parseInt(hex, 16));
      at += hex === undefined ? 1 : 2;
    } else value += character;
  }
  return attributes;
}
