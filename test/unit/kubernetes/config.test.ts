import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { loadConnection } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { testCa } from "../../support/server.ts";
import { base64, failureOf, folder, kubeconfig, token, useFolder } from "./configFixture.ts";

useFolder();

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

  describe("an auth-provider", () => {
    const idToken = (exp: unknown) =>
      ["{}", JSON.stringify({ exp }), "signature"].map((part) => Buffer.from(part).toString("base64url")).join(".");
    const credentialsOf = async (name: string, config: object) => {
      const user = { "auth-provider": { name, config } };
      const { credentials } = await loadConnection({ kubeconfig: kubeconfig({ user }) }, {});
      return credentials.get();
    };

    test("oidc with the ID token that kubectl stored", async () => {
      const valid = idToken(Date.now() / 1_000 + 60);
      expect(await credentialsOf("oidc", { "id-token": valid })).toEqual({ authorization: `Bearer ${valid}` });
    });

    test.each([
      [
        "oidc",
        { "id-token": idToken(Date.now() / 1_000 - 1), "refresh-token": token },
        /without a valid ID token.*kubectl/,
      ],
      ["oidc", { "id-token": idToken("never") }, /without a valid ID token/],
      ["oidc", { "id-token": "opaque" }, /without a valid ID token/],
      ["oidc", {}, /without a valid ID token/],
      ["gcp", { "access-token": token }, /auth-provider "gcp", which kubectl has not had since 1\.26.*exec plugin/],
    ])("%s with %o is refused with a remedy", async (name, config, reason) => {
      const failure = await failureOf(credentialsOf(name, config));
      expect(failure).toMatchObject({ code: "KUBECONFIG_AUTH_PROVIDER", message: expect.stringMatching(reason) });
    });
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
