/** How this pack writes policies: one object for each, and the settings' defaults where no engine fills them in. */
import type {
  EnforcementLevel,
  PolicyConfigSchema,
  PolicyResource,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  Severity,
  StackValidationPolicy,
} from "@pulumi/policy";

type JsonSchema = PolicyConfigSchema["properties"][string];

/** A setting of a policy, for the pack's configuration file. */
export interface Setting<T> {
  readonly description: string;
  readonly default: T;
  readonly type: "boolean" | "integer" | "string" | "array";
  /** The least that makes sense, for integers. */
  readonly minimum?: number;
}

export type Settings<C> = { readonly [K in keyof C]: Setting<C[K]> };

/** What every rule says of itself. */
export interface RuleText<C extends object> {
  readonly name: string;
  /** Whether a violation stops an `up`; the configuration file can say otherwise. */
  readonly level: Exclude<EnforcementLevel, "remediate">;
  readonly severity: Severity;
  /** What is forbidden or demanded, as one sentence. */
  readonly description: string;
  /** Why: what goes wrong otherwise. */
  readonly reason: string;
  /** What to do instead. */
  readonly remedy: string;
  /** Where the rule comes from. */
  readonly url: string;
  readonly tags: readonly string[];
  readonly settings?: Settings<C>;
}

/** A resource as rules see it. Secrets are unwrapped here: a message never holds a value that may be one. */
export interface Subject {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /** Inputs of a resource that is checked by itself, outputs of those of a stack. */
  readonly props: Readonly<Record<string, unknown>>;
  readonly additionalSecretOutputs: readonly string[];
  /** Whether Pulumi refuses to delete it. */
  readonly protect: boolean;
}

/** Says what is wrong, as one sentence about the resource; `subject` names it, for rules about a whole stack. */
export type Report = (found: string, subject?: Subject) => void;

export interface ResourceRule<C extends object> extends RuleText<C> {
  readonly appliesTo: (type: string) => boolean;
  readonly check: (subject: Subject, report: Report, settings: C) => void;
}

export interface StackRule<C extends object> extends RuleText<C> {
  readonly checkStack: (subjects: readonly Subject[], report: Report, settings: C) => void;
}

/** A policy on the inputs of each resource, before it is made. */
export function resourceRule<C extends object>(rule: ResourceRule<C>): ResourceValidationPolicy {
  return {
    ...policyText(rule),
    validateResource: (args, reportViolation) => {
      if (!rule.appliesTo(args.type)) args.notApplicable();
      rule.check(subjectOf(args), (found) => reportViolation(sentence(rule, found)), settingsOf(rule, args));
    },
  };
}

/** A policy on all resources of a stack together, as they came out. */
export function stackRule<C extends object>(rule: StackRule<C>): StackValidationPolicy {
  return {
    ...policyText(rule),
    validateStack: (args, reportViolation) => {
      const report: Report = (found, subject) => reportViolation(sentence(rule, found), subject?.urn);
      rule.checkStack(args.resources.map(subjectOf), report, settingsOf(rule, args));
    },
  };
}

export function either(...tests: readonly ((type: string) => boolean)[]): (type: string) => boolean {
  return (type) => tests.some((test) => test(type));
}

export function ofType(...types: readonly string[]): (type: string) => boolean {
  return (type) => types.includes(type);
}

function policyText<C extends object>(rule: RuleText<C>) {
  const { name, level, severity, description, reason, remedy, url, tags, settings } = rule;
  return {
    name,
    enforcementLevel: level,
    severity,
    description: `${description} ${reason}`,
    remediationSteps: remedy,
    url,
    tags: [...tags],
    ...(settings && { configSchema: { properties: schemaOf(settings) } }),
  };
}

function schemaOf<C>(settings: Settings<C>): Record<string, JsonSchema> {
  const entries = Object.entries<Setting<unknown>>(settings).map(([key, setting]) => {
    const schema: JsonSchema = {
      type: setting.type,
      description: setting.description,
      default: setting.default as JsonSchema["default"],
      ...(setting.minimum !== undefined && { minimum: setting.minimum }),
      ...(setting.type === "array" && { items: { type: "string" } }),
    };
    return [key, schema] as const;
  });
  return Object.fromEntries(entries);
}

function settingsOf<C extends object>(rule: RuleText<C>, args: Pick<ResourceValidationArgs, "getConfig">): C {
  const entries = Object.entries<Setting<unknown>>(rule.settings ?? {}).map(([key, setting]) => [key, setting.default]);
  return { ...(Object.fromEntries(entries) as C), ...args.getConfig<C>() };
}

function subjectOf({ type, name, urn, props, opts }: ResourceValidationArgs | PolicyResource): Subject {
  const { additionalSecretOutputs, protect } = opts;
  return { type, name, urn, props, additionalSecretOutputs, protect };
}

function sentence({ remedy, url }: RuleText<object>, found: string): string {
  return `${found} ${remedy} See ${url}.`;
}
