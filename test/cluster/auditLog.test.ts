import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import type { CertificateAccess } from "../../gateways/index.ts";
import { KubeClient, pathFor } from "../../kubernetes/index.ts";
import { ExampleShell } from "../support/gateways/exampleShell.ts";
import { adminOf, type Lodging, lodging } from "../support/inventory.ts";
import { TestStack } from "../support/pulumi/stack.ts";
import { commandsBelow } from "../support/reader/pageCommands.ts";
import type { Access } from "../support/reviewing.ts";
import { sharedSandbox, workerKubeconfig } from "../support/sandbox.ts";

interface Outputs {
  readonly clusterAccess: Access & CertificateAccess;
  readonly kubeconfigs: { readonly reader: string };
  readonly credentials: Readonly<
    Record<"token" | "certificate" | "reader", { subject: string; credentialId: string; fingerprint: string }>
  >;
}

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
let shell: ExampleShell;
let outputs: Outputs;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  const { namespace } = home.settings;
  stack = await TestStack.make("audited", {
    kubeconfig,
    allowLoopbackHost: true,
    ...home.settings,
    certificateFlow: true,
    certificateKeyType: "P256",
    bearerTokenUsers: { reader: { namespace, rules: [{ resources: ["pods"], verbs: ["get"] }] } },
  });
  await stack.up();
  outputs = (await stack.outputs()) as unknown as Outputs;
  shell = await ExampleShell.empty(stack, kubeconfig);
  await shell.run(commandsBelow("docs/leak.md", "After a leak").join(""));
  await symlink(sharedSandbox().auditLog, join(shell.folder, "audit.log"));
});
afterAll(async () => {
  await shell?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

function client(name: "token" | "certificate" | "reader"): KubeClient {
  const { host: server, caPem, token, certificatePem, privateKeyPem } = outputs.clusterAccess;
  if (name === "certificate")
    return KubeClient.direct({ server, caPem, certPem: certificatePem, keyPem: privateKeyPem });
  const ofUser = () => parse(outputs.kubeconfigs.reader).users[0].user.token as string;
  return KubeClient.direct({ server, caPem, token: name === "token" ? token : ofUser() });
}

/** The lines that the page's command finds. */
async function found(name: string): Promise<string[]> {
  const [search = ""] = commandsBelow("docs/leak.md", "3. See what it was used for");
  return (await shell.run(`name=${name}\n${search}`)).split("\n").filter((line) => line !== "");
}

describe("the audit log", () => {
  test.each(["token", "certificate", "reader"] as const)(
    "shows what the credential %s was used for, and no request of another credential",
    async (name) => {
      const path = `/api/v1/namespaces/${home.settings.namespace}/pods/asked-by-${name}`;
      using user = client(name);
      await user.get(path).catch(() => undefined);
      const lines = await vi.waitUntil(
        async () => {
          const all = await found(name);
          return all.some((line) => line.includes(path)) ? all : undefined;
        },
        { timeout: 20_000, interval: 200 },
      );
      expect(lines.filter((line) => line.includes("asked-by-"))).toEqual([
        expect.stringMatching(new RegExp(`^\\S+\\t127\\.0\\.0\\.1\\t.*\\tget\\t${path}\\t40[34]$`)),
      ]);
    },
  );

  test("calls each credential what the API server calls it", async () => {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const ids = await Promise.all(
      (["token", "certificate", "reader"] as const).map(async (name) => {
        using user = client(name);
        const { status } = await user.create<{ status: { userInfo: { extra?: Record<string, string[]> } } }>(
          pathFor(review.apiVersion, review.kind),
          review,
        );
        return status.userInfo.extra?.["authentication.kubernetes.io/credential-id"]?.[0] ?? "";
      }),
    );
    const { token, certificate, reader } = outputs.credentials;
    expect([token, certificate, reader].map(({ credentialId }) => credentialId)).toEqual(ids);
    expect(ids).toEqual(["", expect.stringMatching(/^X509SHA256=[0-9a-f]{64}$/), expect.stringMatching(/^JTI=/)]);
  });

  test("names the tokens that were issued for a user's account", async () => {
    const [, issued = ""] = commandsBelow("docs/leak.md", "3. See what it was used for");
    expect((await shell.run(`name=reader\n${issued}`)).split("\n")).toContain(outputs.credentials.reader.credentialId);
  });
});
