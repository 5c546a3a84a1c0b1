import {
  type Policies,
  type ResourceValidation,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
  UnknownValueError,
  unknownCheckingProxy,
} from "@pulumi/policy";
import { makePolicies } from "../../../policy/policies.ts";

/** Placeholder for a string that is not known yet. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The clock of every test. */
export const now = new Date("2026-06-01T00:00:00Z");

export const policies: Policies = makePolicies(() => now);

export interface Resource {
  readonly type: string;
  readonly props: object;
  readonly name?: string;
  readonly urn?: string;
  readonly additionalSecretOutputs?: readonly string[];
  readonly protect?: boolean;
}

/** Results of a policy. */
export interface Verdict {
  readonly violations: readonly string[];
  /** Whether it met a value that is not known, which Pulumi shows as a warning. */
  readonly unknown: boolean;
  readonly applies: boolean;
}

class NotApplicable extends Error {}

/** Asks one policy about one resource, as @pulumi/policy does it. */
export function judge(policy: string, resource: Resource, config: object = {}): Verdict {
  const { validateResource } = named(policy) as ResourceValidationPolicy;
  return verdict((report) => {
    (validateResource as ResourceValidation)({ ...argsOf(resource), ...common(config) }, report);
  });
}

/** Asks a policy about a stack. */
export function judgeStack(policy: string, resources: readonly Resource[], config: object = {}): Verdict {
  const { validateStack } = named(policy) as StackValidationPolicy;
  const listed = resources.map((resource) => ({ ...argsOf(resource), dependencies: [], propertyDependencies: {} }));
  return verdict((report) => {
    validateStack({ resources: listed, ...common(config) }, report);
  });
}

export const passed: Verdict = { violations: [], unknown: false, applies: true };

function named(name: string) {
  const policy = policies.find((candidate) => candidate.name === name);
  if (!policy) throw new Error(`there is no policy ${name}`);
  return policy;
}

function verdict(run: (report: (message: string) => void) => void): Verdict {
  const violations: string[] = [];
  try {
    run((message) => violations.push(message));
  } catch (error) {
    if (error instanceof NotApplicable) return { violations, unknown: false, applies: false };
    if (!(error instanceof UnknownValueError)) throw error;
    return { violations, unknown: true, applies: true };
  }
  return { violations, unknown: false, applies: true };
}

function common(config: object) {
  return {
    stackTags: new Map<string, string>(),
    getConfig: <T extends object>() => config as T,
    notApplicable: (): never => {
      throw new NotApplicable();
    },
  };
}

function argsOf({ type, props, name = "thing", urn, additionalSecretOutputs = [], protect = false }: Resource) {
  return {
    type,
    props: unknownCheckingProxy(props) as Record<string, unknown>,
    name,
    urn: urn ?? `urn:pulumi:dev::k8sauth::${type}::${name}`,
    opts: {
      protect,
      ignoreChanges: [],
      aliases: [],
      customTimeouts: { createSeconds: 0, updateSeconds: 0, deleteSeconds: 0 },
      additionalSecretOutputs: [...additionalSecretOutputs],
    },
    isType: () => false,
    asType: () => undefined,
  };
}
