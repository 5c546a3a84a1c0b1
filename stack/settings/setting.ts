/** Kinds of settings. Each has a schema that checks and converts its value. */
import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { dnsLabel, dnsSubdomain } from "../../components/names.ts";
import { GatewayInputError } from "../../gateways/access.ts";

/** Definition of a setting. Its reader, its documentation and its messages follow from it. */
export interface Setting<Value = unknown> {
  readonly type: "text" | "boolean" | "integer" | "list" | "object";
  /** Checks and converts the value in the stack's configuration. */
  readonly schema: v.GenericSchema<unknown, Value>;
  /** Value if the setting is not set. */
  readonly default?: unknown;
  /** Meaning if the setting is not set and has no `default`, for the documentation. */
  readonly unset?: string;
  /** Whether to set it with `--secret`. Its value is a secret output in any case. */
  readonly secret?: boolean;
  /** Accepted numbers, in words. */
  readonly range?: string;
  /** Accepted values, if they can be listed. */
  readonly choices?: readonly string[];
  /**
   * Inputs of the plugin's resources that get the value, in the notation of `provider/protocol/inputNames.ts`. The plugin's errors about these
   * inputs name the setting. If an input gets only a part of the value, "=" and the path of that part follow.
   */
  readonly inputs?: readonly string[];
  /** For lists and objects: arguments of `pulumi config set --path` that set a part of it. */
  readonly example?: string;
  /** Markdown. */
  readonly description: string;
}

/** Settings by name. */
export type Schema = Readonly<Record<string, Setting>>;

/** The values of a schema's settings. */
export type Values<S extends Schema> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer Value> ? Value : never;
};

/** Properties of every kind of setting. */
interface Common {
  readonly description: string;
  readonly unset?: string;
  readonly inputs?: readonly string[];
}

type Defaulted<A, Value> = A extends { readonly default: unknown } ? Value : Value | undefined;

type Check = v.GenericPipeAction<string, string>;

/** Text. */
export function text<const A extends Common & { readonly default?: string }>(
  about: A,
  ...checks: readonly Check[]
): Setting<Defaulted<A, string>> {
  const schema = v.pipe(v.string(), ...(checks as [])) as v.GenericSchema<unknown, Defaulted<A, string>>;
  return { ...about, type: "text", schema };
}

/** Text that is a secret output, whether or not it is set as a secret. */
export function secretText(about: Common, ...checks: readonly Check[]): Setting<pulumi.Output<string> | undefined> {
  const schema = v.pipe(
    v.string(),
    ...(checks as []),
    v.transform((value: string) => pulumi.secret(value)),
  );
  return { ...about, type: "text", secret: true, schema };
}

/** True or false. */
export function flag<const A extends Common & { readonly default?: boolean }>(
  about: A,
): Setting<Defaulted<A, boolean>> {
  const schema = v.pipe(
    v.picklist(["true", "false"], ({ received }) => `is ${received}. Set it to true or false`),
    v.transform((value) => value === "true"),
  ) as v.GenericSchema<unknown, Defaulted<A, boolean>>;
  return { ...about, type: "boolean", schema };
}

/** One of the listed values. */
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  about: Common & { readonly default: NoInfer<Choice> },
): Setting<Choice> {
  return { ...about, type: "text", choices, schema: oneOf(choices) };
}

/** A whole number within limits. */
export function integer<const A extends Common & { readonly default?: number }>(
  about: A,
  { least, most, unit = "number" }: { readonly least: number; readonly most?: number; readonly unit?: string },
): Setting<Defaulted<A, number>> {
  const range = `${unit}, ${least} ${most === undefined ? "or more" : `to ${most}`}`;
  const schema = v.pipe(
    v.string(),
    v.check(
      (value) => /^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= (most ?? Infinity),
      ({ input }) => `is ${shown(input)}. Set it to a whole ${range}`,
    ),
    v.transform(Number),
  ) as v.GenericSchema<unknown, Defaulted<A, number>>;
  return { ...about, type: "integer", range, schema };
}

/** A number of seconds. */
export function seconds<const A extends Common & { readonly default?: number }>(least: number, about: A) {
  return integer(about, { least, unit: "number of seconds" });
}

/** A list of elements with the same schema. */
export function list<Element>(
  element: v.GenericSchema<unknown, Element>,
  about: Common & {
    readonly default?: readonly Element[];
    readonly choices?: readonly string[];
    readonly example: string;
  },
): Setting<readonly Element[]> {
  const { default: defaultValue = [] } = about;
  return { ...about, default: defaultValue, type: "list", schema: v.array(element) };
}

/** An object. The value is undefined if the object is not set or has no field. */
export function object<Value>(
  schema: v.GenericSchema<unknown, Value>,
  about: Common & { readonly example: string },
): Setting<Value | undefined> {
  return { ...about, type: "object", schema };
}

/** The command that sets a list or an object, as a sentence. */
export function setBy({ example = "" }: Pick<Setting, "example">): string {
  return `Set it with \`pulumi config set --path ${example}\``;
}

/** A value in a message. */
export function shown(value: unknown): string {
  return JSON.stringify(value) ?? "unset";
}

// Parts of schemas.

/** One of the listed values. */
export function oneOf<const Choice extends string>(choices: readonly Choice[]) {
  return v.picklist(choices, (issue) => `is ${shown(issue.input)}. Set it to one of: ${choices.join(", ")}`);
}

export const nonEmptyText = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"));

export const trueOrFalse = v.boolean("must be true or false");

/** An object with these fields and no others. */
export function fields<const Entries extends v.ObjectEntries>(entries: Entries) {
  const names = Object.keys(entries).join(", ");
  return v.pipe(
    v.custom<Record<string, unknown>>(isObject, `must be an object with the fields ${names}`),
    v.strictObject(entries, ({ expected }) =>
      expected === "never" ? `is not a field. The fields are: ${names}` : "is missing",
    ),
  );
}

/** An object with any fields. */
export function record<Key extends v.GenericSchema<string, string>, Value extends v.GenericSchema>(
  key: Key,
  value: Value,
  message: string,
) {
  return v.pipe(
    v.custom<Record<string, unknown>>(isObject, message),
    // v.record omits entries with these names, so they would be ignored without an error.
    v.rawCheck(({ dataset, addIssue }) => {
      const name = dataset.typed ? reserved.find((one) => Object.hasOwn(dataset.value, one)) : undefined;
      if (name !== undefined) addIssue({ message: `has the name ${shown(name)}. Use another one` });
    }),
    v.record(key, value),
  );
}

const reserved = ["__proto__", "constructor", "prototype"];

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Name of a Kubernetes object. */
export function objectName(pattern: typeof dnsLabel | typeof dnsSubdomain, most: number): Check {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    const dots = pattern === dnsSubdomain ? ', "."' : "";
    if (value.length > most) addIssue({ message: `has ${value.length} characters. At most ${most} are allowed` });
    else if (!pattern.test(value)) {
      const message = `is ${shown(value)}. Use lower-case letters, digits${dots} and "-", with a letter or digit at both ends`;
      addIssue({ message });
    }
  });
}

/** `NAMESPACE/NAME` of a ServiceAccount. */
export const account = v.check<string, string>((value) => {
  const [namespace = "", serviceAccount = "", ...rest] = value.split("/");
  return rest.length === 0 && dnsLabel.test(namespace) && dnsSubdomain.test(serviceAccount);
}, "must be NAMESPACE/NAME of a ServiceAccount");

/** An https URL without a trailing slash. */
export const httpsUrl: Check = v.rawTransform<string, string>(({ dataset: { value }, addIssue, NEVER }) => {
  if (URL.canParse(value) && new URL(value).protocol === "https:") return value.replace(/\/+$/, "");
  addIssue({ message: "must be an https URL: credentials are sent to it" });
  return NEVER;
});

/** Text that a function of `gateways/` checks and converts. Its GatewayInputError becomes a problem of the setting. */
export function parsedBy(parse: (field: string, value: string) => string): Check {
  return v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
    try {
      return parse("", dataset.value);
    } catch (error) {
      if (!(error instanceof GatewayInputError)) throw error;
      addIssue({ message: error.problem });
      return NEVER;
    }
  });
}
