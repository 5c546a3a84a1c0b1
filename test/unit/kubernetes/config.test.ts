import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { testCa } from "../../support/server.ts";

const identity = makeCertificate({ commonName: "u1", issuer: testCa });
const otherIdentity = makeCertificate({ commonName: "u1", issuer: testCa });
const ecKeyPem = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const token = "s3cret-token-of-the-deployer";
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kube-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const base64 = (text: string) => Buffer.from(text).toString("base64");

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly current?: string;
}

function kubeconfig({ cluster = {}, user = { token }, context = {}, current = "dev" }: Parts = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": current,
    clusters: [
      {
        name: "c1",
        cluster: {
          server: "https://c1.example:6443/",
          "certificate-authority-data": base64(testCa.certPem),
          ...cluster,
        },
      },
    ],
    users: [{ name: "u1", user }],
    contexts: [{ name: "dev", context: { cluster: "c1", user: "u1", ...context } }],
  });
}

async function failureOf(work: Promise<unknown>): Promise<KubeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  const failure = error as KubeError;
  expect(failure.message).not.toContain(token);
  return failure;
}

describe("where the kubeconfig comes from", () => {
  test("content is read as it is, JSON or YAML", async () => {
    const json = await loadConnection({ kubeconfig: kubeconfig() }, {});
    const yaml = await loadConnection(
      {
        kubeconfig: `apiVersion: v1\ncurrent-context: dev\nclusters:\n- {name: c1, cluster: {server: "https://y.example"}}\nusers:\n- {name: u1, user: {token: ${token}}}\ncontexts:\n- {name: dev, context: {cluster: c1, user: u1, namespace: apps}}\n`,
      },
      {},
    );
    expect(json).toMatchObject({
      server: "https://c1.example:6443",
      caPem: testCa.certPem.replaceAll("\r", ""),
      namespace: "default",
      user: "u1",
    });
    expect(yaml).toMatchObject({ server: "https://y.example", caPem: "", namespace: "apps" });
    expect(await yaml.credentials.get()).toEqual({ authorization: `Bearer ${token}` });
  });

  test("a path is read, with ~ for the home folder", async () => {
    writeFileSync(join(folder, "k"), kubeconfig());
    expect((await loadConnection({ kubeconfig: join(folder, "k") }, {})).context).toBe("dev");
    expect((await loadConnection({ kubeconfig: "~/k" }, { HOME: folder })).context).toBe("dev");
  });

  test("the files of KUBECONFIG are merged: the first that names something wins, missing ones do not matter", async () => {
    writeFileSync(
      join(folder, "a"),
      JSON.stringify({ "current-context": "dev", users: [{ name: "u1", user: { token: "first" } }] }),
    );
    writeFileSync(join(folder, "b"), kubeconfig({ current: "other" }));
    const env = { KUBECONFIG: [join(folder, "none"), join(folder, "a"), join(folder, "b")].join(delimiter) };
    const connection = await loadConnection({}, env);
    expect(connection.context).toBe("dev");
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer first" });
  });

  test("a KUBECONFIG without a path is an error, whatever the home folder has", async () => {
    mkdirSync(join(folder, ".kube"));
    writeFileSync(join(folder, ".kube", "config"), kubeconfig());
    const error = await failureOf(loadConnection({}, { HOME: folder, KUBECONFIG: delimiter }));
    expect(error.code).toBe("KUBECONFIG_NOT_FOUND");
  });

  test("in a pod an empty ~/.kube/config is passed over, as by kubectl", async () => {
    mkdirSync(join(folder, ".kube"));
    writeFileSync(join(folder, ".kube", "config"), "");
    writeFileSync(join(folder, "token"), "one");
    const env = { HOME: folder, KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    expect((await loadConnection({}, env, folder)).context).toBe("in-cluster");
  });

  test("without KUBECONFIG it is ~/.kube/config", async () => {
    mkdirSync(join(folder, ".kube"));
    writeFileSync(join(folder, ".kube", "config"), kubeconfig());
    expect((await loadConnection({}, { HOME: folder })).source).toBe(join(folder, ".kube", "config"));
  });

  test("in a pod without a kubeconfig it is the pod's account, whose token is read again after a refusal", async () => {
    writeFileSync(join(folder, "token"), "one\n");
    writeFileSync(join(folder, "ca.crt"), testCa.certPem);
    writeFileSync(join(folder, "namespace"), "apps");
    const env = { HOME: join(folder, "none"), KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    const connection = await loadConnection({}, env, folder);
    expect(connection).toMatchObject({ server: "https://[fd00::1]", namespace: "apps" });
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer one" });
    writeFileSync(join(folder, "token"), "two");
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer one" });
    expect(await connection.credentials.get(true)).toEqual({ authorization: "Bearer two" });
  });

  describe("with the context in-cluster", () => {
    const env = () => ({ KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443", KUBECONFIG: file() });
    const file = () => join(folder, "config");
    beforeEach(() => writeFileSync(file(), kubeconfig()));

    test("it is the pod's account, whatever kubeconfig there is", async () => {
      writeFileSync(join(folder, "token"), "of-the-pod");
      const connection = await loadConnection({ context: "in-cluster" }, env(), folder);
      expect(connection).toMatchObject({ server: "https://10.0.0.1", context: "in-cluster" });
      expect(await connection.credentials.get()).toEqual({ authorization: "Bearer of-the-pod" });
    });

    test("it is an error outside a pod", async () => {
      const error = await failureOf(loadConnection({ context: "in-cluster" }, env(), folder));
      expect(error.code).toBe("KUBECONFIG_NOT_FOUND");
      expect(error.message).toMatch(/The context is in-cluster, but this is not a pod/);
    });
  });

  test("a pod's account is not taken for a context that is named", async () => {
    writeFileSync(join(folder, "token"), "of-the-pod");
    const env = { HOME: join(folder, "none"), KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    const error = await failureOf(loadConnection({ context: "prod" }, env, folder));
    expect(error.code).toBe("KUBECONFIG_NOT_FOUND");
    expect(error.message).toMatch(/there is no context "prod".*set the context to in-cluster/);
  });

  test("nothing anywhere says what was looked for", async () => {
    const error = await failureOf(loadConnection({}, { HOME: folder }, folder));
    expect(error.code).toBe("KUBECONFIG_NOT_FOUND");
    expect(error.message).toContain(join(folder, ".kube", "config"));
    expect(error.message).toContain("KUBERNETES_SERVICE_HOST");
  });

  test.each([
    [{ kubeconfig: "/no/such/file" }, {}],
    [{}, { KUBECONFIG: "/no/such/file" }],
  ])("a file that was named and is not there is an error: %j %j", async (choice, env) => {
    const error = await failureOf(loadConnection(choice, env));
    expect(error.code).toBe("KUBECONFIG_NOT_FOUND");
    expect(error.message).toContain("/no/such/file");
  });
});

describe("what is wrong with it", () => {
  test("malformed YAML names the line and quotes nothing", async () => {
    const error = await failureOf(loadConnection({ kubeconfig: `a: 1\nusers: [{token: ${token}\nb: }` }, {}));
    expect(error.code).toBe("KUBECONFIG_MALFORMED");
    expect(error.message).toMatch(/line \d/);
  });

  test.each([
    ["a list", "[1,\n2]"],
    ["clusters that are no list", '{"clusters": {}}'],
    ["another kind", '{"kind": "Secret"}'],
  ])("%s is not a kubeconfig", async (_what, content) => {
    expect((await failureOf(loadConnection({ kubeconfig: content }, {}))).code).toBe("KUBECONFIG_MALFORMED");
  });

  test.each<[string, Parts, { context?: string; cluster?: string }, string, string]>([
    ["an unknown context", {}, { context: "prod" }, "KUBECONFIG_CONTEXT_UNKNOWN", "It has: dev"],
    ["no current context", { current: "" }, {}, "KUBECONFIG_NO_CONTEXT", "dev"],
    [
      "a context without a cluster",
      { context: { cluster: undefined } },
      {},
      "KUBECONFIG_CLUSTER_UNKNOWN",
      "names no cluster",
    ],
    ["an unknown cluster", {}, { cluster: "c2" }, "KUBECONFIG_CLUSTER_UNKNOWN", "c2"],
    ["a context without a user", { context: { user: undefined } }, {}, "KUBECONFIG_USER_UNKNOWN", "names no user"],
    ["an unknown user", { context: { user: "u2" } }, {}, "KUBECONFIG_USER_UNKNOWN", "u1"],
    ["a server that is no URL", { cluster: { server: "c1:6443" } }, {}, "KUBECONFIG_SERVER_INVALID", "https://"],
    ["a server without encryption", { cluster: { server: "http://c1" } }, {}, "KUBECONFIG_INSECURE", "https"],
    [
      "a server that is not verified",
      { cluster: { "insecure-skip-tls-verify": true } },
      {},
      "KUBECONFIG_INSECURE",
      "certificate-authority-data",
    ],
    [
      "a CA that is none",
      { cluster: { "certificate-authority-data": base64("nothing") } },
      {},
      "KUBECONFIG_CA_INVALID",
      "PEM",
    ],
    [
      "a certificate without its key",
      { user: { "client-certificate-data": base64("x") } },
      {},
      "KUBECONFIG_CREDENTIAL_INVALID",
      "client-key",
    ],
    [
      "a key file that is not there",
      { user: { "client-key": "none.key", "client-certificate": "none.crt" } },
      {},
      "KUBECONFIG_CREDENTIAL_MISSING",
      "none.crt",
    ],
  ])("%s", async (_what, parts, choice, code, hint) => {
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig(parts), ...choice }, {}));
    expect(error.code).toBe(code);
    expect(error.message).toContain(hint);
  });

  test.each([
    ["a certificate for an RSA key with an EC key", ecKeyPem(), /issued for an RSA key, and the key is an EC key/],
    ["a certificate with another RSA key", otherIdentity.keyPem, /issued for another RSA key/],
    ["a key that is not PEM", "key", /the key is not a PEM private key/],
  ])("%s is refused before any request, by the names of both fields", async (_what, keyPem, problem) => {
    const data = { "client-certificate-data": base64(identity.certPem), "client-key-data": base64(keyPem) };
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig({ user: data }) }, {}));
    expect(error.code).toBe("KUBECONFIG_CREDENTIAL_INVALID");
    expect(error.message).toMatch(/client-certificate-data and client-key-data of user "u1"/);
    expect(error.message).toMatch(problem);
    writeFileSync(join(folder, "tls.crt"), identity.certPem);
    writeFileSync(join(folder, "tls.key"), keyPem);
    const files = { "client-certificate": "tls.crt", "client-key": "tls.key" };
    writeFileSync(join(folder, "k"), kubeconfig({ user: files }));
    const named = await failureOf(loadConnection({ kubeconfig: join(folder, "k") }, {}));
    expect(named.message).toContain(`client-certificate (${join(folder, "tls.crt")})`);
    expect(named.message).toContain(`client-key (${join(folder, "tls.key")})`);
  });

  test.each<[string, Parts, RegExp]>([
    ["a token of digits", { user: { token: 4711 } }, /users\[0\]\.user\.token is not text/],
    ["an exec plugin that is text", { user: { exec: "aws" } }, /users\[0\]\.user\.exec is not a mapping/],
    [
      "data that is not base64",
      { cluster: { "certificate-authority-data": "#" } },
      /clusters\[0\]\.cluster\.certificate-authority-data is not base64/,
    ],
  ])("%s is refused by the name of its field", async (_what, parts, problem) => {
    const error = await failureOf(loadConnection({ kubeconfig: kubeconfig(parts) }, {}));
    expect(error.code).toBe("KUBECONFIG_MALFORMED");
    expect(error.message).toMatch(problem);
    expect(error.message).not.toContain("4711");
  });

  test("a CA file that is missing is named, relative to the kubeconfig", async () => {
    writeFileSync(
      join(folder, "k"),
      kubeconfig({ cluster: { "certificate-authority-data": undefined, "certificate-authority": "pki/ca.crt" } }),
    );
    const error = await failureOf(loadConnection({ kubeconfig: join(folder, "k") }, {}));
    expect(error.code).toBe("KUBECONFIG_CA_MISSING");
    expect(error.message).toContain(join(folder, "pki", "ca.crt"));
  });
});

describe("what it may hold", () => {
  test("CA, certificate, key and token as files beside it", async () => {
    writeFileSync(join(folder, "ca.crt"), `# comment\r\n${testCa.certPem}`);
    const { certPem, keyPem } = makeCertificate({ commonName: "u1", issuer: testCa });
    writeFileSync(join(folder, "tls.crt"), certPem);
    writeFileSync(join(folder, "tls.key"), keyPem);
    writeFileSync(join(folder, "t"), "from-file\n");
    writeFileSync(
      join(folder, "k"),
      kubeconfig({
        cluster: {
          "certificate-authority-data": undefined,
          "certificate-authority": "ca.crt",
          "tls-server-name": "api.internal",
        },
        user: { "client-certificate": "tls.crt", "client-key": "tls.key", tokenFile: "t" },
      }),
    );
    const connection = await loadConnection({ kubeconfig: join(folder, "k") }, {});
    expect(connection.caPem).toBe(testCa.certPem.replaceAll("\r", ""));
    expect(connection.tlsServerName).toBe("api.internal");
    expect(await connection.credentials.get()).toEqual({
      authorization: "Bearer from-file",
      certPem,
      keyPem,
    });
  });

  test("name and password", async () => {
    const connection = await loadConnection({ kubeconfig: kubeconfig({ user: { username: "u", password: "p" } }) }, {});
    expect(await connection.credentials.get()).toEqual({ authorization: `Basic ${base64("u:p")}` });
  });

  test("impersonation with groups and extra fields", async () => {
    const user = { token, as: "jane", "as-groups": ["a", "b"], "as-user-extra": { "example.com/scope": ["x"] } };
    expect((await loadConnection({ kubeconfig: kubeconfig({ user }) }, {})).impersonation).toEqual({
      "Impersonate-User": "jane",
      "Impersonate-Group": ["a", "b"],
      "Impersonate-Extra-example.com%2Fscope": ["x"],
    });
  });
});
