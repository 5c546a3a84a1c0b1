import * as v from "valibot";
import { dnsLabel, dnsSubdomain } from "../../components/names.ts";
import { verifierConfigProblem } from "../../components/verifier/configProblem.ts";
import { defaultVerifierImage } from "../../components/verifier/image.ts";
import {
  resourcesProblem,
  type VerifierMode,
  type VerifierResources,
  verifierModes,
} from "../../components/verifier/manifests.ts";
import { type Callers, cidrsProblem } from "../../components/verifier/network.ts";
import { parseRule, VerifierError } from "../../verifier/config/index.ts";
import type { Refuse } from "./read.ts";
import {
  choice,
  fields,
  flag,
  integer,
  list,
  nonEmptyText,
  object,
  objectName,
  record,
  shown,
  text,
  type Values,
} from "./setting.ts";

const labels = record(v.string(), v.string("must be text"), "must be an object of labels");
const pods: v.GenericSchema<unknown, Callers> = fields({
  namespaceLabels: v.optional(labels),
  podLabels: v.optional(labels),
});

const resources: v.GenericSchema<unknown, VerifierResources> = v.pipe(
  fields({
    cpuRequest: v.optional(nonEmptyText),
    cpuLimit: v.optional(nonEmptyText),
    memoryRequest: v.optional(nonEmptyText),
    memoryLimit: v.optional(nonEmptyText),
  }),
  v.check(
    (given) => resourcesProblem(given) === undefined,
    ({ input }) => resourcesProblem(input) ?? "",
  ),
);

const rule = v.pipe(
  nonEmptyText,
  v.check(
    isRule,
    ({ input }) => `is ${shown(input)}. A rule is NAMESPACE/SERVICEACCOUNT[/POD] [METHODS] [PATH] with * and ?`,
  ),
);

function isRule(value: string): boolean {
  try {
    parseRule(value);
    return true;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}

/** The bundled verifier, which identifies the callers of services in the cluster. */
export const verifierSettings = {
  verifier: flag({ default: false, description: "Deploys the [verifier](verifier.md)." }),
  verifierAudiences: list(nonEmptyText, {
    example: "'verifierAudiences[0]' orders",
    description:
      "Audiences of the tokens that callers present to services, at least one. Set none of the API server's: all modes but `tokenreview` refuse such tokens, and `tokenreview` [accepts them](verifier.md#what-is-checked).",
  }),
  verifierMode: choice(verifierModes, { default: "hybrid", description: "How tokens are verified." }),
  verifierAllow: list(rule, {
    example: "'verifierAllow[0]' 'shop/*'",
    description:
      "Callers that are accepted, as `NAMESPACE/SERVICEACCOUNT[/POD]` with `*` and `?`, optionally for [some requests](verifier.md#rules-for-methods-and-paths). An empty list accepts every ServiceAccount. With several issuers in `verifierSettings`, set `allow` in each of them instead.",
  }),
  verifierPublicKeys: text({
    unset: "the cluster's keys when it is deployed",
    description: "Public keys for the mode `jwt-pubkey`, PEM or a JSON Web Key Set.",
  }),
  verifierImage: text({
    default: defaultVerifierImage,
    description:
      "An image whose entry point is Node.js 24, or with `verifierSelfContainedImage` one that contains the verifier. Pin it by digest (`IMAGE@sha256:…`): the [policy](policy.md) `image-pinned` refuses the tag of another image, `default-image-pinned` warns about the default's.",
  }),
  verifierSelfContainedImage: flag({
    default: false,
    description:
      "`true`: `verifierImage` contains the verifier, because you built it from [verifier/Dockerfile](verifier.md#an-image-that-contains-the-verifier). The ConfigMap then holds no program.",
  }),
  verifierReplicas: integer({ default: 2, description: "Number of pods." }, { least: 1, most: 99 }),
  verifierMaxReplicas: integer(
    {
      unset: "as many as `verifierReplicas`",
      description:
        "Largest number of pods. A HorizontalPodAutoscaler then sets the number by the CPU time that they use, with `verifierReplicas` as the smallest. It needs the metrics server.",
    },
    { least: 1, most: 99 },
  ),
  verifierSkipAwait: flag({
    default: false,
    description:
      "`true`: an `up` does not [wait](verifier.md#a-rollout-that-does-not-end) until the pods are ready, and pods that do not start fail no `up`.",
  }),
  verifierResources: object(resources, {
    unset: "100m CPU and 96Mi requested, a limit of 192Mi",
    example: "verifierResources.memoryLimit 256Mi",
    description:
      "Resources of each pod: `{cpuRequest, cpuLimit, memoryRequest, memoryLimit}`. A memory limit is at least 192Mi; a larger one holds more connections.",
  }),
  verifierHostUsers: flag({
    default: true,
    description:
      "`false` runs the pods in user namespaces (`hostUsers: false`), so that they have no rights on their node. It needs Kubernetes 1.33 and nodes that support it.",
  }),
  verifierEgressCidrs: list(
    v.pipe(
      nonEmptyText,
      v.check(
        (cidr) => cidrsProblem([cidr]) === undefined,
        ({ input }) => `is ${shown(input)}. Set a network such as 10.0.0.1/32`,
      ),
    ),
    {
      example: "'verifierEgressCidrs[0]' 10.0.0.1/32",
      description:
        "Networks that the pods may connect to: those of the API server, of issuers and of a proxy. An empty list admits every address, on the API server's ports.",
    },
  ),
  verifierNamespace: text(
    { unset: "a generated name", description: "Namespace of the verifier." },
    objectName(dnsLabel, 63),
  ),
  verifierCreateNamespace: flag({ default: true, description: "Creates the namespace. `false` uses one that exists." }),
  verifierCallers: list(pods, {
    example: "'verifierCallers[0].podLabels.app' gateway",
    description:
      "Pods that may call the verifier, as `{namespaceLabels, podLabels}`: its NetworkPolicy admits no others. An empty list admits pods of every namespace.",
  }),
  verifierMonitoring: list(pods, {
    example: "'verifierMonitoring[0].podLabels.app' prometheus",
    description: "Pods that may read its metrics, on port 8081, in the same form. An empty list admits none.",
  }),
  verifierTlsSecret: text(
    {
      unset: "HTTP",
      description:
        "Secret of the type `kubernetes.io/tls` in `verifierNamespace`, with a certificate for `verifier.NAMESPACE.svc`. The verifier then serves TLS, and loads a renewed certificate without a restart.",
    },
    objectName(dnsSubdomain, 253),
  ),
  verifierPriorityClass: text(
    { unset: "the cluster's default", description: "PriorityClass of its pods." },
    objectName(dnsSubdomain, 253),
  ),
  verifierSettings: object(record(v.string(), v.unknown(), "must be an object"), {
    unset: "none",
    example: "verifierSettings.reviewOutage local",
    description: "Further [settings of the verifier](verifier-settings.md): `{reviewOutage: local}`, `{issuers: […]}`.",
  }),
} as const;

/** The converted settings of the verifier. */
export interface VerifierProgramSettings {
  readonly audiences: readonly [string, ...string[]];
  readonly mode: VerifierMode;
  readonly allow: readonly string[];
  readonly publicKeys?: string;
  readonly image: string;
  readonly selfContainedImage: boolean;
  readonly replicas: number;
  readonly maxReplicas?: number;
  readonly skipAwait?: boolean;
  readonly resources?: VerifierResources;
  readonly hostUsers?: boolean;
  readonly egressCidrs: readonly string[];
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly callers?: readonly Callers[];
  readonly monitoring: readonly Callers[];
  readonly tlsSecret?: string;
  readonly priorityClassName?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Converts the settings of the verifier and refuses contradictions. Undefined without a verifier. */
export function verifierOf(
  values: Values<typeof verifierSettings>,
  refuse: Refuse,
): VerifierProgramSettings | undefined {
  const { verifierNamespace: namespace, verifierMode: mode, verifierPublicKeys: publicKeys } = values;
  if (!values.verifierCreateNamespace && !namespace) {
    refuse(["verifierCreateNamespace", "verifierNamespace"], "is false, but k8sauth:verifierNamespace is not set");
  }
  if (values.verifierTlsSecret && !namespace) {
    refuse(
      ["verifierTlsSecret", "verifierNamespace"],
      "is set, but k8sauth:verifierNamespace is not. Set the namespace of the Secret",
    );
  }
  if (publicKeys && mode !== "jwt-pubkey") {
    refuse(["verifierPublicKeys", "verifierMode"], "is set, but k8sauth:verifierMode is not jwt-pubkey");
  }
  if (values.verifierMaxReplicas !== undefined && values.verifierMaxReplicas < values.verifierReplicas) {
    refuse(
      ["verifierMaxReplicas", "verifierReplicas"],
      `is ${values.verifierMaxReplicas}, which is less than k8sauth:verifierReplicas (${values.verifierReplicas})`,
    );
  }
  if (values.verifierSelfContainedImage && values.verifierImage === defaultVerifierImage) {
    refuse(
      ["verifierSelfContainedImage", "verifierImage"],
      "is true, but k8sauth:verifierImage is not set. Set the image that you built from verifier/Dockerfile",
    );
  }
  if (!values.verifier) return undefined;
  const [first, ...others] = values.verifierAudiences;
  if (first === undefined) {
    refuse(["verifierAudiences"], `is empty, but k8sauth:verifier is true. Name the audience of callers' tokens`);
    return undefined;
  }
  const settings: VerifierProgramSettings = {
    audiences: [first, ...others],
    mode,
    allow: values.verifierAllow,
    publicKeys,
    image: values.verifierImage,
    selfContainedImage: values.verifierSelfContainedImage,
    replicas: values.verifierReplicas,
    maxReplicas: values.verifierMaxReplicas,
    ...(values.verifierSkipAwait && { skipAwait: true }),
    resources: values.verifierResources,
    ...(!values.verifierHostUsers && { hostUsers: false }),
    egressCidrs: values.verifierEgressCidrs,
    namespace,
    createNamespace: values.verifierCreateNamespace,
    ...(values.verifierCallers.length > 0 && { callers: values.verifierCallers }),
    monitoring: values.verifierMonitoring,
    tlsSecret: values.verifierTlsSecret,
    priorityClassName: values.verifierPriorityClass,
    settings: values.verifierSettings,
  };
  checkByVerifier(settings, refuse);
  return settings;
}

/** Refuses settings that the verifier would refuse at its start. Issuer and keys of the cluster are not known yet. */
function checkByVerifier(verifier: VerifierProgramSettings, refuse: Refuse): void {
  const { mode, audiences, allow, publicKeys, settings } = verifier;
  const tls = verifier.tlsSecret !== undefined;
  if (allow.length > 0 && Array.isArray(settings?.issuers) && settings.issuers.length > 1) {
    refuse(
      ["verifierAllow", "verifierSettings"],
      "is set, but k8sauth:verifierSettings has several issuers. Set allow in each of them instead",
    );
  }
  // The mode jwt-pubkey requires keys. Without k8sauth:verifierPublicKeys they are read from the cluster later, so the other settings are
  // checked in the mode hybrid.
  const known = { mode, audiences, allow: [], issuer: "https://issuer.invalid", tls };
  const withoutKeys = { ...known, mode: mode === "jwt-pubkey" ? ("hybrid" as const) : mode, publicKeys: "" };
  const problem = verifierConfigProblem(withoutKeys);
  if (problem) refuse(["verifierAudiences"], `is refused by the verifier: ${problem}`);
  else if (publicKeys && mode === "jwt-pubkey") {
    const keysProblem = verifierConfigProblem({ ...known, publicKeys });
    if (keysProblem) refuse(["verifierPublicKeys"], `is refused by the verifier: ${keysProblem}`);
  }
  const moreProblem =
    problem || !settings ? undefined : verifierConfigProblem({ ...withoutKeys, mode, more: settings });
  if (moreProblem && !(mode === "jwt-pubkey" && moreProblem.includes("holds no keys")))
    refuse(["verifierSettings"], `is refused by the verifier: ${moreProblem}`);
}
