/** Policies as objects. The defaults of their settings also apply outside of an engine, as in tests. */
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
  /** Smallest integer. */
  readonly minimum?: number;
}

export type Settings<C> = { readonly [K in keyof C]: Setting<C[K]> };

/** Name, texts and settings of a rule. */
export interface RuleText<C extends object> {
  readonly name: string;
  /** Default level: `mandatory` stops `pulumi up`, `advisory` warns. The configuration file of the pack can set another level. */
  readonly level: Exclude<EnforcementLevel, "remediate">;
  readonly severity: Severity;
  /** The requirement, as one sentence. */
  readonly description: string;
  /** Consequence of a violation, as one sentence. */
  readonly reason: string;
  /** What to do, as one or more sentences. */
  readonly remedy: string;
  /** Source of the rule. */
  readonly url: string;
  readonly tags: readonly string[];
  readonly settings?: Settings<C>;
}

/** A resource. Its properties contain secrets in plain text, so messages must not contain values that may be secret. */
export interface Subject {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /** For a ResourceRule the inputs, for a StackRule the outputs. */
  readonly props: Readonly<Record<string, unknown>>;
  readonly additionalSecretOutputs: readonly string[];
  /** Whether Pulumi refuses to delete it. */
  readonly protect: boolean;
}

/** Reports a violation. @param found one sentence about the resource @param subject the resource, for a StackRule */
export type Report = (found: string, subject?: Subject) => void;

export interface ResourceRule<C extends object> extends RuleText<C> {
  readonly appliesTo: (type: string) => boolean;
  readonly check: (subject: Subject, report: Report, settings: C) => void;
}

export interface StackRule<C extends object> extends RuleText<C> {
  readonly checkStack: (subjects: readonly Subject[], report: Report, settings: C) => void;
}

/** A policy for the inputs of each resource, before it is created. */
export function resourceRule<C extends object>(rule: ResourceRule<C>): ResourceValidationPolicy {
  return {
    ...policyText(rule),
    validateResource: (args, reportViolation) => {
      if (!rule.appliesTo(args.type)) args.notApplicable();
      rule.check(subjectOf(args), (found) => reportViolation(sentence(rule, found)), settingsOf(rule, args));
    },
  };
}

/** A policy for the outputs of all resources of a stack together. */
export function stackRule<C extends object>(rule: StackRule<C>): StackValidationPolicy {
  return {
    ...policyText(rule),
    validateStack: (args, reportViolation) => {
      const report: Report = (found, subject) => reportViolation(sentence(rule, found), subject?.urn);
      rule.checkStack(args.resources.map(subjectOf), report, settingsOf(rule, args));
    },
  };
}

/** Whether one of the tests accepts a type. */
export function either(...tests: readonly ((type: string) => boolean)[]): (type: string) => boolean {
  return (type) => tests.some((test) => test(type));
}

/** Whether a type is one of the given type tokens. */
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
