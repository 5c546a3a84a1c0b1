/** A policy of the cluster that denies what the token flow creates. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { until } from "../../support/verifier/verifier.ts";

const kubeconfig = workerKubeconfig();
const admission = "admissionregistration.k8s.io/v1";
const words = "Token Secrets are not allowed here: they never expire.";
let admin: KubeClient;
let home: Lodging;
let name: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  name = `${home.settings.namespace}-token-secrets`;
  await admin.create(`/apis/${admission}/validatingadmissionpolicies`, {
    apiVersion: admission,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] }],
      },
      validations: [{ expression: 'object.type != "kubernetes.io/service-account-token"', message: words }],
    },
  });
  await admin.create(`/apis/${admission}/validatingadmissionpolicybindings`, {
    apiVersion: admission,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ["Deny"],
      matchResources: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": home.settings.namespace } },
      },
    },
  });
  // The API server compiles policies in the background.
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "probe" },
    type: "kubernetes.io/service-account-token",
  };
  const probe = {
    ...secret,
    metadata: { ...secret.metadata, annotations: { "kubernetes.io/service-account.name": "none" } },
  };
  const path = pathFor("v1", "Secret", home.settings.namespace);
  const isDenied = () =>
    admin.create(path, probe, { dryRun: true }).then(
      () => false,
      (error: Error) => error.message.includes(words),
    );
  await until(isDenied, "the policy is in force", 30_000);
});
afterAll(async () => {
  for (const plural of ["validatingadmissionpolicybindings", "validatingadmissionpolicies"]) {
    await admin.delete(`/apis/${admission}/${plural}/${name}`, { ignoreNotFound: true });
  }
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

test("a policy that denies token Secrets is quoted, and a token by TokenRequest passes it", async () => {
  await using stack = await TestStack.make("denied", { kubeconfig, allowLoopbackHost: true, ...home.settings });
  await expect(stack.up()).rejects.toThrow(words);
  await stack.configure({ tokenMode: "tokenRequest" });
  await stack.up();
  const access = (await stack.outputs()).clusterAccess as unknown as Access;
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
});
