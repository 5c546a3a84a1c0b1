import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KubeError, loadConnection } from "../../../kube/index.ts";
import { testCa } from "./server.ts";

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
    ["an entry without a name", '{"users": [{"user": {}}]}'],
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
    writeFileSync(join(folder, "tls.crt"), "CERT");
    writeFileSync(join(folder, "tls.key"), "KEY");
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
      certPem: "CERT",
      keyPem: "KEY",
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

  test("a proxy of its own", async () => {
    const connection = await loadConnection(
      { kubeconfig: kubeconfig({ cluster: { "proxy-url": "http://127.0.0.1:1" } }) },
      {},
    );
    expect(connection.proxyAgent).toBeDefined();
  });
});

describe("exec plugins", () => {
  const credential = (status: object) =>
    JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status });

  function execConfig(script: string, exec: object = {}): string {
    const user = {
      exec: { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: ["-e", script], ...exec },
    };
    return kubeconfig({ user });
  }

  test("the token comes from the plugin, which is run once and again after a refusal", async () => {
    const file = join(folder, "runs");
    const script = `require("fs").appendFileSync(${JSON.stringify(file)}, "x"); const n = require("fs").readFileSync(${JSON.stringify(file)}, "utf8").length; console.log(JSON.stringify({status: {token: "run-" + n}}))`;
    const connection = await loadConnection({ kubeconfig: execConfig(script) }, process.env);
    const both = await Promise.all([connection.credentials.get(), connection.credentials.get()]);
    expect(both).toEqual([{ authorization: "Bearer run-1" }, { authorization: "Bearer run-1" }]);
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer run-1" });
    expect(await connection.credentials.get(true)).toEqual({ authorization: "Bearer run-2" });
  });

  test("it is told of the cluster when it asks, and gets its own variables", async () => {
    const script = `const i = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({status: {token: i.spec.cluster.server + process.env.EXTRA}}))`;
    const connection = await loadConnection(
      { kubeconfig: execConfig(script, { provideClusterInfo: true, env: [{ name: "EXTRA", value: "+v" }] }) },
      process.env,
    );
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer https://c1.example:6443+v" });
  });

  test("a certificate from the plugin", async () => {
    const script = `console.log(${JSON.stringify(credential({ clientCertificateData: "C", clientKeyData: "K" }))})`;
    const connection = await loadConnection({ kubeconfig: execConfig(script) }, process.env);
    expect(await connection.credentials.get()).toEqual({ certPem: "C", keyPem: "K" });
  });

  test("one that is not installed is named, with the kubeconfig's hint", async () => {
    const connection = await loadConnection(
      { kubeconfig: execConfig("", { command: "no-such-plugin", installHint: "Get it from example.com." }) },
      process.env,
    );
    const error = await failureOf(connection.credentials.get());
    expect(error.code).toBe("KUBECONFIG_EXEC_MISSING");
    expect(error.message).toMatch(/no-such-plugin.*Get it from example\.com/s);
  });

  test("one that fails is quoted without what looks like a secret", async () => {
    const script = `console.error("login expired; token=${token}"); process.exit(3)`;
    const error = await failureOf(
      (await loadConnection({ kubeconfig: execConfig(script) }, process.env)).credentials.get(),
    );
    expect(error.code).toBe("KUBECONFIG_EXEC_FAILED");
    expect(error.message).toContain("login expired");
  });

  test.each([
    ["prints no JSON", `console.log("${token}")`],
    ["prints no status", "console.log('{}')"],
    ["prints an empty status", `console.log('{"status":{}}')`],
  ])("one that %s fails, and nothing of it is quoted", async (_what, script) => {
    const error = await failureOf(
      (await loadConnection({ kubeconfig: execConfig(script) }, process.env)).credentials.get(),
    );
    expect(error.code).toBe("KUBECONFIG_EXEC_FAILED");
  });
});
