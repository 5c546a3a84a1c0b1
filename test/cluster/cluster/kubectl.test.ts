import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConnection } from "../../../kubernetes/index.ts";
import {
  base64,
  binary,
  type Content,
  ca,
  client,
  folder,
  jane,
  json,
  kubectlReads,
  little,
  otherCa,
  type Parts,
  utf16,
  weRead,
  write,
  yaml,
} from "./kubectlFixture.ts";

describe("a kubeconfig that kubectl reads is read the same", () => {
  test.each<[string, Content]>([
    ["YAML", yaml({ context: "namespace: apps", cluster: "tls-server-name: api.internal" })],
    ["JSON", json],
    ["JSON with a second document", `${json}\n---\n`],
    ["no apiVersion and kind", yaml().replace("apiVersion: v1\nkind: Config\n", "")],
    ["CRLF", yaml().replaceAll("\n", "\r\n")],
    ["UTF-8 with a byte order mark", `\ufeff${yaml()}`],
    ["JSON with a byte order mark", `\ufeff${json}`],
    ["UTF-16, little endian", utf16([0xff, 0xfe], little)],
    ["UTF-16, big endian", utf16([0xfe, 0xff], Buffer.from(little).swap16())],
    ["a leading ---", yaml({ before: "---\n" })],
    ["a trailing ---", yaml({ after: "---\n" })],
    ["a second document", yaml({ after: "---\ncurrent-context: other\nusers: []\n" })],
    ["an end of document", yaml({ after: "...\n" })],
    ["unknown fields", yaml({ after: "colors: true\n", user: "{token: t1, x: [1]}" })],
    ["a merge key", yaml({ before: jane, user: "{<<: *jane, token: t1}" })],
    ["a merge key after a key that it has too", yaml({ before: jane, user: "{token: t1, <<: *jane}" })],
    ["two merge keys", yaml({ before: `${jane}y: &tom {token: t3, as: tom}\n`, user: "{<<: *tom, <<: *jane}" })],
    ["a list of merges", yaml({ before: `${jane}y: &tom {token: t3}\n`, user: "{<<: [*tom, *jane]}" })],
    [
      "a list of merges after a key",
      yaml({ before: `${jane}y: &t {token: t3}\n`, user: "{token: t1, <<: [*t, *jane]}" }),
    ],
    ["a merge of a literal mapping", yaml({ user: "{<<: {token: t5}}" })],
    ["a merged entry", yaml({ before: "x: &e {user: {token: t5}}\n", users: "- name: u2\n  <<: *e" })],
    [
      "a merge at the top",
      yaml({ before: "x: &x {current-context: dev}\n<<: *x\n" }).replace("current-context: dev\nc", "c"),
    ],
    ["a quoted merge key, which is none", yaml({ before: jane, user: '{token: t1, "<<": *jane}' })],
    ["an anchor", yaml({ user: "&u {token: t1}", after: "y: *u\n" })],
    ["a repeated key", yaml({ user: "{token: t1, token: t2}" })],
    ["a repeated section", yaml({ after: "users:\n- name: u1\n  user: {token: t9}\n" })],
    ["an entry without a name", yaml({ users: "- user: {token: t9}" })],
    ["an entry that is null", yaml({ users: "- null" })],
    ["a token like a date", yaml({ user: "{token: 2020-01-01}" })],
    ["a token like a time", yaml({ user: "{token: 12:30}" })],
    ["a token of digits in quotes", yaml({ user: '{token: "123"}' })],
    ["a token of digits with a tag", yaml({ user: "{token: !!str 123}" })],
    ["a token that is null", yaml({ user: "{token: ~}" })],
    [
      "line breaks in base64",
      yaml({ cluster: `certificate-authority-data: "${base64(ca.certPem).replace(/.{64}/g, "$&\\n")}"` }),
    ],
  ])("%s", async (_what, content) => {
    const env = write({ config: content });
    const outcome = await kubectlReads(env);
    expect(outcome).not.toBe("refused");
    expect(await weRead(env)).toEqual(outcome);
  });

  const files = "certificate-authority: pki/ca.crt";
  const pair = "{client-certificate: pki/tls.crt, client-key: ./pki/../pki/tls.key}";
  test.each<[string, Readonly<Record<string, Content>>]>([
    [
      "with paths relative to the file that names them",
      {
        "a/config": yaml({ user: pair }).replace(/clusters:\n.*\n.*\n/, ""),
        "b/config": yaml({ cluster: files }).replace(/users:\n.*\n.*\n/, ""),
        "a/pki/ca.crt": otherCa.certPem,
        "a/pki/tls.crt": client.certPem,
        "a/pki/tls.key": client.keyPem,
        "b/pki/ca.crt": ca.certPem,
      },
    ],
    [
      "of which the first to name an entry wins, with all of it",
      {
        "a/config": `users:\n- name: u1\n  user: {token: first}\ncontexts:\n- name: prod\n  context: {}\n`,
        "b/config": yaml({ user: "{token: second, as: jane}", cluster: files, context: "namespace: apps" }),
        "b/pki/ca.crt": ca.certPem,
      },
    ],
    ["of which one is empty", { "a/config": "", "b/config": yaml(), "c/config": "# nothing\n" }],
    [
      "of which the first current-context wins",
      {
        "a/config": "current-context: dev\n",
        "b/config": yaml().replace("current-context: dev", "current-context: x"),
      },
    ],
  ])("files %s", async (_what, content) => {
    const env = write(content);
    const outcome = await kubectlReads(env);
    expect(outcome).not.toBe("refused");
    expect(await weRead(env)).toEqual(outcome);
  });

  test("files that are missing, empty names and repeated files", async () => {
    const { HOME, KUBECONFIG = "" } = write({ "a/config": yaml() });
    const env = { HOME, KUBECONFIG: ["", "/no/such/file", KUBECONFIG, KUBECONFIG].join(delimiter) };
    const outcome = await kubectlReads(env);
    expect(outcome).toMatchObject({ authorization: "Bearer t1" });
    expect(await weRead(env)).toEqual(outcome);
  });
});

describe("a kubeconfig that kubectl refuses is refused", () => {
  test.each<[string, Content]>([
    ["nothing", ""],
    ["a comment", "# nothing\n"],
    ["an empty first document", `---\n---\n${yaml()}`],
    ["another kind", yaml().replace("Config", "Secret")],
    ["another version", yaml().replace("v1", "v2")],
    ["fields in capitals", yaml().replace("current-context", "Current-Context")],
    ["two entries of the name that is used", yaml({ users: "- name: u1\n  user: {token: t9}" })],
    ["a mapping instead of a list", yaml().replace(/users:\n.*\n.*\n/, "users: {}\n")],
    ["a token of digits", yaml({ user: "{token: 123}" })],
    ["a token that YAML 1.1 reads as a boolean", yaml({ user: "{token: yes}" })],
    ["a token with an underscore between digits", yaml({ user: "{token: 1_000}" })],
    ["an exec plugin that is text", yaml({ user: "{exec: aws}" })],
    ["a merge key that refers to nothing", yaml({ user: "{<<: 3, token: t}" })],
    ["tabs", yaml().replace("  user: {token", "\tuser: {token")],
    ["UTF-16 without a byte order mark", little],
    ["bytes that are not UTF-8", Buffer.concat([Buffer.from([0x78, 0x3a, 0x20, 0xff, 0x0a]), Buffer.from(yaml())])],
    ["data that is not base64", yaml({ cluster: 'certificate-authority-data: "###"' })],
    ["base64 without padding", yaml({ cluster: 'certificate-authority-data: "eA"' })],
    ["a cluster that does not exist", yaml().replace("cluster: c1", "cluster: c2")],
    ["a user that does not exist", yaml().replace("user: u1", "user: u2")],
  ])("%s", async (_what, content) => {
    const env = write({ config: content });
    expect(await kubectlReads(env)).toBe("refused");
    expect(await weRead(env)).toBe("refused");
  });
});

describe("a mistake in an entry that is not used does not matter, unlike for kubectl", () => {
  test.each<[string, Parts]>([
    ["two entries of one name", { users: "- name: u2\n  user: {token: a}\n- name: u2\n  user: {token: b}" }],
    ["two entries without a name", { users: "- user: {token: a}\n- user: {token: b}" }],
    ["a name of digits", { users: "- name: 1\n  user: {token: a}" }],
    ["a token of digits", { users: "- name: u2\n  user: {token: 1}" }],
    ["data that is not base64", { users: '- name: u2\n  user: {client-key-data: "###"}' }],
    ["a number instead of a context", { after: "- name: x\n  context: 3\n" }],
  ])("%s", async (_what, parts) => {
    const env = write({ config: yaml(parts) });
    expect(await kubectlReads(env)).toBe("refused");
    expect(await weRead(env)).toMatchObject({ authorization: "Bearer t1" });
  });
});

describe("an exec plugin receives the KUBERNETES_EXEC_INFO that kubectl gives it", () => {
  const exec = "apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin";
  const known = `certificate-authority-data: ${base64(ca.certPem.replaceAll("\r", ""))}, tls-server-name: api.internal`;
  const config = "{name: client.authentication.k8s.io/exec, extension: {audience: example, ports: [1, 2]}}";

  test.each<[string, Parts]>([
    ["without the cluster", { user: `{exec: {${exec}}}` }],
    ["with the cluster", { user: `{exec: {${exec}, provideClusterInfo: true}}`, cluster: known }],
    [
      "with the cluster's settings for plugins",
      {
        user: `{exec: {${exec}, provideClusterInfo: true}}`,
        cluster: `${known}, extensions: [{name: x, extension: {}}, ${config}]`,
      },
    ],
    [
      "with its proxy",
      {
        user: `{exec: {${exec}, provideClusterInfo: true, env: [{name: KUBERNETES_EXEC_INFO, value: mine}]}}`,
        cluster: "proxy-url: 'socks5://127.0.0.1:1', disable-compression: true",
      },
    ],
  ])("%s", async (_what, parts) => {
    const env = write({ config: yaml(parts) });
    const script = `#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" >"${folder}/info"\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'\n`;
    writeFileSync(join(folder, "plugin"), script, { mode: 0o700 });
    const info = () => JSON.parse(readFileSync(join(folder, "info"), "utf8")) as unknown;
    // The server does not exist: the plugin runs before the first request.
    await new Promise((resolve) => {
      const options = { env: { PATH: process.env.PATH, ...env }, cwd: folder };
      execFile(binary, ["kubectl", "get", "--raw", "/version", "--request-timeout", "1s"], options, resolve);
    });
    const theirs = info();
    rmSync(join(folder, "info"));
    await (await loadConnection({}, { PATH: process.env.PATH, ...env })).credentials.get();
    expect(info()).toEqual(theirs);
  });
});
