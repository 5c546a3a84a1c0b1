/** The formatters of auth configs, for programs in other languages. */
import * as formatters from "../../gateways/index.ts";
import { GatewayInputError } from "../../gateways/index.ts";
import { ProviderError } from "../protocol/errors.ts";
import { type CheckFailure, readInputs } from "../protocol/fields.ts";
import { functionOf } from "../protocol/schema.ts";
import {
  encode,
  hasUnknown,
  secret,
  unknownOnWire,
  type Value,
  type ValueObject,
  type Wire,
} from "../protocol/wire.ts";

type Formatter = (...parameters: readonly ValueObject[]) => Value;

const byName = new Map<string, unknown>(Object.entries(formatters));

/**
 * Calls a formatter. Each of its parameters gets all arguments, because no two parameters have a property of the same name.
 *
 * @param token `k8sauth:index:vaultAuthConfig`
 */
export function invoke(token: string, args: ValueObject): { readonly result: Wire } | readonly CheckFailure[] {
  const found = functionOf(token);
  if (found === undefined) throw new ProviderError("TYPE_UNKNOWN", `k8sauth has no function "${token}".`);
  if (hasUnknown(args)) return { result: unknownOnWire };
  const { known, failures } = readInputs<ValueObject>(args, found.fields, found.descriptions);
  if (failures.length > 0) return failures;
  const formatter = byName.get(token.split(":").at(-1) ?? "") as Formatter;
  try {
    const result = encode(formatter(...Array<ValueObject>(formatter.length).fill(known as ValueObject)));
    return { result: found.secret ? secret(result) : result };
  } catch (error) {
    if (error instanceof GatewayInputError) return [{ property: error.field, reason: error.problem }];
    throw error;
  }
}
