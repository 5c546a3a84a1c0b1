/** Kubeconfigs: whatever is in one, it leads to a connection or to one error with a code that shows no credential. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { validateHeaderValue } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { environmentProxy } from "../../../kubernetes/transport/proxyRules.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { testCa } from "../../support/server.ts";
import { type Json, json, runs, spoiled, textWith } from "./arbitraries.ts";

const folder = mkdtempSync(join(tmpdir(), "kube-properties-"));
afterAll(() => rmSync(folder, { recursive: true }));

const secret = "S3CR3T-of-the-deployer";
const identity = makeCertificate({ commonName: "u", issuer: testCa });
const yaml = (value: Json) => stringify(value, { version: "1.1", defaultStringType: "QUOTE_DOUBLE" });
const base64 = (text: string) => Buffer.from(text).toString("base64");
const good = {
  apiVersion: "v1",
  kind: "Config",
  "current-context": "dev",
  clusters: [
    {
      name: "c",
      cluster: {
        server: "https://c.example:6443",
        "certificate-authority-data": base64(testCa.certPem),
        "proxy-url": `http://u:${secret}@proxy.example:8080`,
        extensions: [{ name: "client.authentication.k8s.io/exec", extension: { audience: "a" } }],
      },
    },
  ],
  users: [
    {
      name: "u",
      user: {
        token: secret,
        "client-certificate-data": base64(identity.certPem),
        "client-key-data": base64(identity.keyPem),
        as: "other",
        "as-groups": ["g"],
        "as-user-extra": { scope: ["s"] },
        exec: { command: "none", args: [secret], env: [{ name: "A", value: secret }] },
      },
    },
    { name: "x", user: { exec: { command: "none", args: ["--now"], env: [{ name: "A", value: secret }] } } },
  ],
  contexts: [
    { name: "dev", context: { cluster: "c", user: "u", namespace: "n" } },
    { name: "exec", context: { cluster: "c", user: "x" } },
  ],
} as const satisfies Json;

/** Loads a kubeconfig, content or path. An error has to be one of the catalogue that shows no secret. */
async function load(kubeconfig: string, context?: string) {
  try {
    return await loadConnection({ kubeconfig, context }, {});
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(KubeError);
    expect((error as KubeError).code).toMatch(/^KUBE(CONFIG|_PROXY)_/);
    expect((error as KubeError).message).not.toContain("S3CR3T");
    expect((error as KubeError).message).not.toContain(base64(identity.keyPem).slice(60, 90));
    return undefined;
  }
}

describe("a kubeconfig", () => {
  test("with parts exchanged for anything is a connection or an error", async () => {
    const format = fc.constantFrom(JSON.stringify, yaml);
    await fc.assert(
      fc.asyncProperty(spoiled(good), format, fc.constantFrom(undefined, "exec"), async (value, write, context) => {
        const connection = await load(`${write(value)}\n`, context);
        for (const sent of Object.values(connection?.impersonation ?? {}).flat()) {
          expect(() => validateHeaderValue("x", sent)).not.toThrow();
        }
      }),
      runs(200),
    );
  });

  test("of whatever text is a connection or an error", async () => {
    const fragments = [
      "apiVersion: v1",
      "clusters:",
      "- ",
      "{",
      "[",
      "&a",
      "*a",
      "<<: ",
      "!!",
      '"',
      "|",
      "---\n",
      JSON.stringify(good),
    ];
    await fc.assert(
      fc.asyncProperty(textWith(...fragments, stringify(good)), async (text) => {
        await load(`${text}\n`);
      }),
      runs(150),
    );
  });

  test("that is nested more deeply than a parser can go is an error", async () => {
    for (const deep of ["[", "{a: ", "- "]) expect(await load(`apiVersion: ${deep.repeat(5_000)}\n`)).toBeUndefined();
  });

  test("means the same as JSON, as YAML and in UTF-16", async () => {
    const name = fc.stringMatching(/^[a-z0-9:/.@ é-]{1,20}$/).filter((text) => text.trim() === text);
    await fc.assert(
      fc.asyncProperty(name, name, name, async (cluster, user, namespace) => {
        const { apiVersion, kind } = good;
        const value = {
          ...{ apiVersion, kind, "current-context": user },
          clusters: [{ name: cluster, cluster: { server: "https://c.example" } }],
          users: [{ name: user, user: { token: "t" } }],
          contexts: [{ name: user, context: { cluster, user, namespace } }],
        };
        const utf16 = join(folder, "utf16");
        writeFileSync(utf16, Buffer.from(`\ufeff${yaml(value)}`, "utf16le"));
        for (const given of [JSON.stringify(value), yaml(value), utf16]) {
          expect(await load(given)).toMatchObject({ cluster, user, namespace, context: user });
        }
      }),
      runs(50),
    );
  });

  test("that was given in the place of a path, or encoded, is not shown", async () => {
    const inFlow = `users: [{name: u, user: {token: ${secret}}}]`;
    const plain = fc.constantFrom(
      inFlow,
      `preferences: {}, ${inFlow}`,
      `- ${inFlow}`,
      JSON.stringify(good),
      yaml(good),
    );
    const encoded = fc.constantFrom(inFlow, JSON.stringify(good), yaml(good), stringify(good)).map(base64);
    await fc.assert(
      fc.asyncProperty(fc.oneof(plain, encoded), async (text) => {
        const error = await loadConnection({ kubeconfig: text }, {}).catch((thrown: unknown) => thrown);
        if (!(error instanceof KubeError)) return;
        expect(error.message).not.toContain("S3CR3T");
        expect(error.message).not.toContain(text.slice(10, 40));
      }),
    );
  });

  test("has a token and impersonates a user as HTTP can carry them, or is refused", async () => {
    const text = textWith("a", "é", "\n", "\t", "名").filter((one) => one !== "");
    await fc.assert(
      fc.asyncProperty(text, text, async (token, as) => {
        const users = [{ name: "u", user: { token, as, "as-user-extra": { [token]: [as] } } }];
        const connection = await load(`${JSON.stringify({ ...good, users })}\n`);
        if (connection === undefined) return;
        const { authorization = "" } = await connection.credentials.get();
        expect(authorization).toBe(`Bearer ${token}`);
        for (const sent of [authorization, ...Object.values(connection.impersonation).flat()]) {
          expect(() => validateHeaderValue("x", sent)).not.toThrow();
        }
      }),
      runs(200),
    );
  });
});

test("proxy variables of whatever text lead to a proxy, to none or to an error that does not show them", () => {
  const proxy = textWith(`http://u:${secret}@proxy.example:8080`, "socks5://", ":", "proxy.example", "[::1]", secret);
  const except = textWith(",", "*", ".example.com", "10.0.0.0/8", "::/0", "[::1]:443", "/33", ":", "c.example");
  const host = fc.constantFrom("c.example", "10.1.2.3", "fd00::1", "localhost", "::ffff:10.0.0.1");
  fc.assert(
    fc.property(proxy, except, host, (HTTPS_PROXY, NO_PROXY, name) => {
      try {
        const found = environmentProxy(name, 443, { HTTPS_PROXY, NO_PROXY });
        if (name === "localhost") expect(found).toBeUndefined();
      } catch (error) {
        expect(error, String((error as Error).stack)).toMatchObject({ code: "KUBE_PROXY_INVALID" });
        expect((error as Error).message).not.toContain("S3CR3T");
      }
    }),
    runs(500),
  );
});

test("any JSON is a kubeconfig, or is said not to be one", async () => {
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      await load(`${JSON.stringify(value)}\n`);
    }),
  );
});
