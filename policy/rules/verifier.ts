/** The verifier: audience, image and network. */
import type { Policies } from "@pulumi/policy";
import { isConfigMap, isNetworkPolicy, matches, type ObjectMeta } from "../kubernetes.ts";
import { containerLists, isWorkload, type PodTemplate, podOf } from "../pods.ts";
import { either, type Report, resourceRule, type Subject, stackRule } from "../rule.ts";
import { each, every, present, some } from "../unknowns.ts";

interface AudienceSettings {
  readonly label: string;
  readonly variables: readonly string[];
  readonly flags: readonly string[];
}

const audience = resourceRule<AudienceSettings>({
  name: "verifier-audience",
  level: "mandatory",
  severity: "critical",
  description: "The verifier has an audience.",
  reason: "Without one it accepts tokens that are for other services, and these services could replay them.",
  remedy: "Set the verifier's audience (k8sauth:verifierAudiences).",
  url: "https://www.rfc-editor.org/rfc/rfc8725#section-3.9",
  tags: ["verifier", "token"],
  settings: {
    label: {
      type: "string",
      description:
        "Value of the label app.kubernetes.io/name of a verifier's pods, for a verifier without the component Verifier.",
      default: "k8sauth-verifier",
    },
    variables: {
      type: "array",
      description: "Environment variables that set the audience, with * for anything.",
      default: ["*AUDIENCE", "*AUDIENCES"],
    },
    flags: {
      type: "array",
      description: "Flags that set the audience.",
      default: ["--audience", "--audiences"],
    },
  },
  appliesTo: either(isWorkload, isConfigMap),
  check: (subject, report, settings) => {
    const { type, urn, props } = subject;
    const ofComponent = urn.includes("k8sauth:index:Verifier$");
    if (isConfigMap(type)) {
      if (ofComponent) checkConfig(props, report);
      return;
    }
    const pod = podOf(type, props);
    // The component sets the audience in its ConfigMap, which the branch above checks.
    if (ofComponent || pod.metadata?.labels?.["app.kubernetes.io/name"] !== settings.label) return;
    if (!some(containerLists(pod), (list) => some(list(), (container) => setsAudience(container, settings)))) {
      report("None of its containers has an audience, in a variable or a flag.");
    }
  },
});

interface VerifierConfig {
  readonly audience?: unknown;
  readonly issuers?: readonly { readonly audience?: unknown }[];
}

function checkConfig(props: Readonly<Record<string, unknown>>, report: Report): void {
  const { audience: top, issuers } = parsed(
    (props.data as Readonly<Record<string, string>> | undefined)?.["config.json"],
  );
  const own = issuers?.length ? issuers.map((issuer) => issuer.audience ?? top) : [top];
  if (!own.every(isSet)) report("Its config.json sets no audience.");
}

function parsed(text = "{}"): VerifierConfig {
  try {
    return JSON.parse(text) as VerifierConfig;
  } catch {
    return {};
  }
}

/** Whether the value is an audience or a list of audiences. */
function isSet(given: unknown): boolean {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  return list.length > 0 && list.every((text) => typeof text === "string" && text !== "");
}

type Containers = NonNullable<PodTemplate["spec"]>["containers"];

function setsAudience(container: NonNullable<Containers>[number], { variables, flags }: AudienceSettings): boolean {
  const byVariable = some(
    container.env,
    ({ name = "", value, valueFrom }) => matches(name, variables) && (Boolean(value) || valueFrom !== undefined),
  );
  if (byVariable) return true;
  const list = container.args ?? [];
  return Array.from({ length: list.length }, (_, index) => index).some((index) =>
    flags.some((flag) => list[index]?.startsWith(`${flag}=`) || (list[index] === flag && Boolean(list[index + 1]))),
  );
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

interface NetworkPolicy {
  readonly metadata?: ObjectMeta;
  readonly spec?: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly egress?: unknown;
  };
}

const networkPolicy = stackRule({
  name: "workload-network-policy",
  level: "mandatory",
  severity: "high",
  description: "A NetworkPolicy limits the pods that may connect to each workload.",
  reason: "Without one every pod of the cluster can connect to it and try tokens.",
  remedy: "Add a NetworkPolicy with policyTypes Ingress in its namespace that selects its pods.",
  url: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
  tags: ["workload", "verifier", "network"],
  checkStack: (subjects, report) => {
    const policies = subjects.filter(({ type }) => isNetworkPolicy(type));
    each(
      subjects.filter(({ type }) => isWorkload(type)),
      (workload) => {
        if (!some(policies, (policy) => guards(policy, workload))) {
          report(`No NetworkPolicy of the stack selects the pods of ${workload.name}.`, workload);
        }
      },
    );
  },
});

function guards({ props }: Subject, workload: Subject): boolean {
  const { metadata, spec } = props as NetworkPolicy;
  const at = (workload.props.metadata as ObjectMeta | undefined)?.namespace;
  if (present(metadata?.namespace, "metadata.namespace") !== present(at, "metadata.namespace")) return false;
  const types = spec?.policyTypes;
  if (types !== undefined && !some(types, (type) => type === "Ingress")) return false;
  const { labels } = podOf(workload.type, workload.props).metadata ?? {};
  return selects(spec?.podSelector ?? {}, labels ?? {});
}

function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>) {
  const has = (key: string) => Object.hasOwn(labels, key);
  return (
    every(Object.keys(matchLabels), (key) => has(key) && labels[key] === matchLabels[key]) &&
    every(matchExpressions, ({ key, operator, values }) => {
      if (operator === "Exists") return has(key);
      if (operator === "DoesNotExist") return !has(key);
      const among = has(key) && some(values, (value) => value === labels[key]);
      return operator === "In" ? among : !among;
    })
  );
}

export const verifierRules: Policies = [audience, networkPolicy];
