import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KubeClient, KubeError, loadConnection } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { allRunning, endAll, noneRunning, patienceMs, pidsIn } from "../../support/processes/processes.ts";
import { answer, localServer, testCa } from "../../support/server.ts";
import { execKubeconfig, family, familySize, printToken, shell } from "./execFixture.ts";

const token = "s3cret-token-of-the-deployer";
const kubeModule = new URL("../../../kubernetes/index.ts", import.meta.url).href;
let folder: string;
let pidFile: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exec-plugin-"));
  pidFile = join(folder, "pids");
  said = [];
});
afterEach(() => {
  endAll(pidsIn(pidFile));
  rmSync(folder, { recursive: true });
});

const say = (line: string) => void said.push(line);

function connect(exec: object, limits: object = {}, env: NodeJS.ProcessEnv = process.env) {
  return loadConnection({ kubeconfig: execKubeconfig(exec), exec: { onLine: say, limits } }, env);
}

async function credentialsOf(exec: object, limits: object = {}) {
  return (await connect(exec, limits)).credentials.get();
}

async function failureOf(work: Promise<unknown>): Promise<KubeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  expect((error as KubeError).message).not.toContain(token);
  return error as KubeError;
}

describe("the credential of an exec plugin", () => {
  /** A token that counts the runs. */
  const counting = () =>
    `echo x >>"${folder}/runs"; echo "{\\"status\\":{\\"token\\":\\"run-$(wc -l <"${folder}/runs" | tr -d ' ')\\"}}"`;

  test("is asked for once, and again after a refusal", async () => {
    const { credentials } = await connect(shell(counting()));
    const both = await Promise.all([credentials.get(), credentials.get()]);
    expect(both).toEqual([{ authorization: "Bearer run-1" }, { authorization: "Bearer run-1" }]);
    expect(await credentials.get()).toEqual({ authorization: "Bearer run-1" });
    expect(await Promise.all([credentials.get(true), credentials.get(true)])).toEqual([
      { authorization: "Bearer run-2" },
      { authorization: "Bearer run-2" },
    ]);
  });

  test("is shared by all connections of a process, so that a login is asked for once", async () => {
    const connections = await Promise.all([connect(shell(counting())), connect(shell(counting()))]);
    const all = await Promise.all(connections.map(({ credentials }) => credentials.get()));
    expect(all).toEqual([{ authorization: "Bearer run-1" }, { authorization: "Bearer run-1" }]);
  });

  test("is asked for again once it has expired", async () => {
    const script = `echo x >>"${folder}/runs"; echo '{"status":{"token":"t","expirationTimestamp":"2020-01-01T00:00:00Z"}}'`;
    const { credentials } = await connect(shell(script));
    await credentials.get();
    await credentials.get();
    expect(readFileSync(join(folder, "runs"), "utf8")).toBe("x\nx\n");
  });

  test("may depend on the cluster, and on the plugin's own variables", async () => {
    const script = `const i = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({status: {token: i.spec.cluster.server + process.env.EXTRA}}))`;
    const exec = { command: process.execPath, args: ["-e", script], provideClusterInfo: true };
    expect(await credentialsOf({ ...exec, env: [{ name: "EXTRA", value: "+v" }] })).toEqual({
      authorization: "Bearer https://c1.example:6443+v",
    });
  });

  test("may depend on the cluster's settings for plugins", async () => {
    const script = `const i = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({status: {token: i.spec.cluster.config.audience}}))`;
    const exec = { command: process.execPath, args: ["-e", script], provideClusterInfo: true };
    const kubeconfig = JSON.parse(execKubeconfig(exec)) as { clusters: { cluster: { extensions?: object[] } }[] };
    for (const { cluster } of kubeconfig.clusters) {
      cluster.extensions = [{ name: "client.authentication.k8s.io/exec", extension: { audience: "example" } }];
    }
    const connection = await loadConnection({ kubeconfig: JSON.stringify(kubeconfig) }, process.env);
    expect(await connection.credentials.get()).toEqual({ authorization: "Bearer example" });
  });

  test("may be a certificate, whose key must belong to it", async () => {
    const { certPem, keyPem } = makeCertificate({ commonName: "u1", issuer: testCa });
    const print = (clientKeyData: string) => {
      const file = join(folder, "answer.json");
      writeFileSync(file, JSON.stringify({ status: { clientCertificateData: certPem, clientKeyData } }));
      return shell(`cat "${file}"; : ${clientKeyData.length}`);
    };
    expect(await credentialsOf(print(keyPem))).toEqual({ certPem, keyPem });
    const other = makeCertificate({ commonName: "other" }).keyPem;
    const error = await failureOf(credentialsOf(print(`${other}\n\n`)));
    expect(error.code).toBe("KUBECONFIG_CREDENTIAL_INVALID");
    expect(error.message).toMatch(/status\.clientCertificateData and status\.clientKeyData.*another RSA key/);
  });
});

describe("an exec plugin that fails", () => {
  test("is named with the kubeconfig's hint if it is not installed", async () => {
    const error = await failureOf(
      credentialsOf({ command: "no-such-plugin", installHint: "Get it from example.com." }),
    );
    expect(error.code).toBe("KUBECONFIG_EXEC_MISSING");
    expect(error.message).toMatch(/no-such-plugin.*Get it from example\.com/s);
  });

  test("is quoted without what looks like a secret", async () => {
    const error = await failureOf(credentialsOf(shell(`echo "login expired; token=${token}" >&2; exit 3`)));
    expect(error.code).toBe("KUBECONFIG_EXEC_FAILED");
    expect(error.message).toMatch(/exit status 3: login expired/);
  });

  test.each([
    ["no JSON", `echo "${token}"`],
    ["no status", "echo '{}'"],
    ["an empty status", `echo '{"status":{}}'`],
    ["a key without a certificate", `echo '{"status":{"clientKeyData":"${token}"}}'`],
    ["output without end", `yes ${token}`],
  ])("is an error without a quotation if it prints %s", async (_what, script) => {
    const error = await failureOf(credentialsOf(shell(script)));
    expect(error.code).toBe("KUBECONFIG_EXEC_FAILED");
    expect(error.message).toMatch(/Expected an ExecCredential/);
  });
});

describe("what an exec plugin writes to its standard error", () => {
  /** Waits for a file, for 10 s at most. */
  const until = (file: string) => `n=0; while [ ! -e "${file}" ] && [ $n -lt 200 ]; do n=$((n+1)); sleep 0.05; done`;

  test("is shown while it runs, prompts without a line break included", async () => {
    const script = `echo "Open https://login.example and enter ABCD-1234" >&2; printf 'Waiting: ' >&2; ${until(`${folder}/done`)}; ${printToken("t")}`;
    const credentials = credentialsOf(shell(script));
    await expect
      .poll(() => said, { timeout: 10_000 })
      .toEqual(["Open https://login.example and enter ABCD-1234", "Waiting:"]);
    writeFileSync(join(folder, "done"), "");
    expect(await credentials).toEqual({ authorization: "Bearer t" });
  });

  test("is part of the error if the login does not come in time", async () => {
    const script = `echo "Open https://login.example and enter ABCD-1234" >&2; sleep 20`;
    const error = await failureOf(credentialsOf(shell(script), { silentMs: 3_000, speakingMs: 3_200 }));
    expect(error.code).toBe("KUBECONFIG_EXEC_TIMEOUT");
    expect(error.message).toMatch(/within 3\.2 s.*enter ABCD-1234/);
  });

  test("gives it the time of a login", async () => {
    const script = `echo "Waiting for your login" >&2; sleep 2.5; ${printToken("t")}`;
    expect(await credentialsOf(shell(script), { silentMs: 2_000 })).toEqual({ authorization: "Bearer t" });
  });

  test("is shown without credentials, keys and control sequences", async () => {
    const { keyPem } = makeCertificate({ commonName: "key" });
    writeFileSync(join(folder, "key.pem"), keyPem);
    const script = `printf '\\033[31mred\\033[0m token=${token}\\n' >&2; cat "${folder}/key.pem" >&2; echo after >&2; ${printToken("t")}`;
    await credentialsOf(shell(script));
    expect(said).toEqual(["red token=[credential]", "after"]);
  });

  test("is waited for outside the time limit of the request", async () => {
    await using server = await localServer((_request, response) => answer(response, 200, { ok: true }));
    const exec = shell(`sleep 2.2; ${printToken("t")}`);
    const connection = await loadConnection({ kubeconfig: execKubeconfig(exec, server.url) }, process.env);
    using client = new KubeClient(connection, { timeoutMs: 2_000 });
    expect(await client.get("/x")).toEqual({ ok: true });
  });
});

describe("an exec plugin ends, with everything that it started,", { timeout: 2 * patienceMs }, () => {
  test("when it does not answer in time", async () => {
    const error = await failureOf(credentialsOf(shell(`${family(pidFile)} wait`), { silentMs: 2_000 }));
    expect(error.code).toBe("KUBECONFIG_EXEC_TIMEOUT");
    expect(pidsIn(pidFile)).toHaveLength(familySize);
    await noneRunning(pidsIn(pidFile));
  });

  test("when the last request that waits for it is cancelled, and not before", async () => {
    const { credentials } = await connect(shell(`${family(pidFile)} wait`));
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => failureOf(credentials.get(false, signal)));
    const pids = await allRunning(pidFile, familySize);
    first.abort();
    expect((await waits[0])?.code).toBe("KUBE_CANCELLED");
    await allRunning(pidFile, familySize);
    second.abort();
    expect((await waits[1])?.code).toBe("KUBE_CANCELLED");
    await noneRunning(pids);
  });

  test("when the request of a client is cancelled", async () => {
    const abort = new AbortController();
    using client = new KubeClient(await connect(shell(`${family(pidFile)} wait`)), { signal: abort.signal });
    const request = failureOf(client.get("/x"));
    const pids = await allRunning(pidFile, familySize);
    abort.abort();
    expect((await request).code).toBe("KUBE_CANCELLED");
    await noneRunning(pids);
  });

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("when our process ends by %s", async (signal) => {
    const script = `import { loadConnection } from ${JSON.stringify(kubeModule)}; await (await loadConnection({ kubeconfig: process.argv[1] }, process.env)).credentials.get();`;
    const kubeconfig = execKubeconfig(shell(`${family(pidFile)} wait`));
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, kubeconfig], { stdio: "ignore" });
    const ended = once(child, "exit");
    const pids = await allRunning(pidFile, familySize);
    child.kill(signal);
    await ended;
    await noneRunning(pids);
  });

  test.runIf(process.platform === "linux")(
    "when our process ends before its watchdog knows which one it is",
    async () => {
      const tree = new URL("../../../kubernetes/kubeconfig/processTree.ts", import.meta.url).href;
      // The line that names the leader is never written, as on a busy machine between the spawn and the next statement.
      const script = `import { ProcessTree } from ${JSON.stringify(tree)}; import { Socket } from "node:net"; Socket.prototype.write = () => true; new ProcessTree().spawn("/bin/sh", ["-c", process.argv[1]], process.env);`;
      const args = ["--input-type=module", "-e", script, `${family(pidFile)} wait`];
      const child = spawn(process.execPath, args, { stdio: "ignore" });
      const ended = once(child, "exit");
      const pids = await allRunning(pidFile, familySize);
      child.kill("SIGKILL");
      await ended;
      await noneRunning(pids);
    },
  );

  test("when it has answered and a child of it keeps its output open; the answer counts", async () => {
    const script = `sleep 240 & echo $! >>"${pidFile}"; ${printToken("t")}`;
    expect(await credentialsOf(shell(script))).toEqual({ authorization: "Bearer t" });
    expect(pidsIn(pidFile)).toHaveLength(1);
    await noneRunning(pidsIn(pidFile));
  });
});

test("a helper that an exec plugin leaves in the background is left alone", async () => {
  const script = `sleep 240 >/dev/null 2>&1 & echo $! >>"${pidFile}"; ${printToken("t")}`;
  expect(await credentialsOf(shell(script))).toEqual({ authorization: "Bearer t" });
  await allRunning(pidFile, 1);
});

describe("an exec plugin that uses the kubeconfig that it serves", { timeout: 2 * patienceMs }, () => {
  test("is started three times inside itself, and then refused", async () => {
    const file = join(folder, "kubeconfig");
    // Counts its own runs, and stops at eight whatever happens.
    const script = `
      import { appendFileSync, readFileSync } from "node:fs";
      import { loadConnection } from ${JSON.stringify(kubeModule)};
      appendFileSync(process.argv[2], "x");
      if (readFileSync(process.argv[2], "utf8").length >= 8) throw new Error("eight runs");
      try { await (await loadConnection({ kubeconfig: process.argv[1] }, process.env)).credentials.get(); }
      catch (error) { console.error(error.code + ": " + error.message); process.exit(1); }`;
    const args = ["--input-type=module", "-e", script, file, join(folder, "runs")];
    writeFileSync(file, execKubeconfig({ command: process.execPath, args }));
    const connection = await loadConnection({ kubeconfig: file, exec: { onLine: say } }, process.env);
    await failureOf(connection.credentials.get());
    expect(readFileSync(join(folder, "runs"), "utf8")).toBe("xxx");
    expect(said.join("\n")).toMatch(/KUBECONFIG_EXEC_RECURSION.*uses the kubeconfig that names the plugin/);
  });

  test.runIf(process.platform === "linux")(
    "through other programs is ended when it has too many processes",
    async () => {
      const file = join(folder, "again.sh");
      writeFileSync(
        file,
        `echo $$ >>"${pidFile}"; [ $(wc -l <"${pidFile}") -ge 8 ] && sleep 20; [ $(wc -l <"${pidFile}") -ge 8 ] || sh "${file}"; exit 1`,
      );
      const error = await failureOf(credentialsOf({ command: "/bin/sh", args: [file] }, { processes: 5 }));
      expect(error.code).toBe("KUBECONFIG_EXEC_RECURSION");
      expect(error.message).toMatch(/more than 5 processes/);
      await noneRunning(pidsIn(pidFile));
    },
  );
});
