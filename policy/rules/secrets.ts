/** Secrecy of credentials. A pack receives secrets in plain text, so messages of these rules contain no values. */
import type { Policies } from "@pulumi/policy";
import { isConfigMap, isKubernetesObject, isSecret, type ObjectMeta } from "../kubernetes.ts";
import { containerLists, isWorkload, podOf } from "../pods.ts";
import { type Report, resourceRule } from "../rule.ts";
import { all, each, eachEntry } from "../unknowns.ts";

const pulumiSecrets = "https://www.pulumi.com/docs/iac/concepts/secrets/";

/** By type, the outputs that contain secrets. */
const secretOutputs: readonly { readonly is: (type: string) => boolean; readonly outputs: readonly string[] }[] = [
  { is: isSecret, outputs: ["data", "stringData"] },
  { is: (type) => type === "k8sauth:index:ReviewerToken", outputs: ["token"] },
  { is: (type) => type === "k8sauth:index:AkeylessAuthMethod", outputs: ["privateKey"] },
  {
    is: (type) => type === "tls:index/privateKey:PrivateKey",
    outputs: ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"],
  },
];

const marked = resourceRule({
  name: "secrets-marked",
  level: "mandatory",
  severity: "critical",
  description: "Outputs that hold secrets are marked as secrets.",
  reason: "The state holds an unmarked output in plain text, and every user who can read the state sees it.",
  remedy: "Name them in the option additionalSecretOutputs.",
  url: pulumiSecrets,
  tags: ["secret"],
  appliesTo: (type) => secretOutputs.some(({ is }) => is(type)),
  check: ({ type, additionalSecretOutputs }, report) => {
    const outputs = secretOutputs.filter(({ is }) => is(type)).flatMap((entry) => entry.outputs);
    const missing = outputs.filter((output) => !additionalSecretOutputs.includes(output));
    if (missing.length > 0) report(`Not marked: ${missing.join(", ")}.`);
  },
});

/** Patterns of credentials. The second one is base64 of the start of PEM, in which "PRIVATE KEY-" has one of three alignments. */
const credentialPatterns: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: "a private key", pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/ },
  {
    what: "a private key",
    pattern: /LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,24}(?:UFJJVkFURSBLRVkt|BSSVZBVEUgS0VZL|QUklWQVRFIEtFWS)/,
  },
  { what: "a token", pattern: /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}/ },
];

const inTheOpen = resourceRule({
  name: "no-credential-in-the-open",
  level: "mandatory",
  severity: "critical",
  description: "No credential is in a ConfigMap, an environment variable, an argument, a label or an annotation.",
  reason: "Every user who may read the object sees the credential, and the state holds it in plain text.",
  remedy: "Put it into a Secret and mount that as a file.",
  url: "https://kubernetes.io/docs/concepts/security/secrets-good-practices/",
  tags: ["secret", "cis-5.4.1"],
  appliesTo: isKubernetesObject,
  check: ({ type, props }, report) => {
    const { labels, annotations } = (props.metadata ?? {}) as ObjectMeta;
    all(
      () => eachEntry(labels, lookAt("metadata.labels", report)),
      () => eachEntry(annotations, lookAt("metadata.annotations", report)),
      () => {
        if (!isConfigMap(type)) return;
        const { data, binaryData } = props as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
        all(
          () => eachEntry(data, lookAt("data", report)),
          () => eachEntry(binaryData, lookAt("binaryData", report)),
        );
      },
      () => {
        if (isWorkload(type)) lookAtContainers(type, props, report);
      },
    );
  },
});

function lookAt(where: string, report: Report): (key: string, value: string) => void {
  return (key, value) => {
    const found = credentialPatterns.find(({ pattern }) => typeof value === "string" && pattern.test(value));
    if (found) report(`${where}.${key} holds ${found.what}.`);
  };
}

function lookAtContainers(type: string, props: Readonly<Record<string, unknown>>, report: Report): void {
  each(containerLists(podOf(type, props)), (list) =>
    each(list(), ({ name = "?", args, command, env }) => {
      const look = lookAt(`container ${name}`, report);
      all(
        () => each(args, (text, index) => look(`args[${index}]`, text)),
        () => each(command, (text, index) => look(`command[${index}]`, text)),
        () => each(env, (variable) => look(`env.${variable.name}`, variable.value ?? "")),
      );
    }),
  );
}

export const secretRules: Policies = [marked, inTheOpen];
