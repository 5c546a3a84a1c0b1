import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import { type CheckFailure, type Fields, readInputs } from "./fields.ts";
import type { AnyResource, Changes, State } from "./resource.ts";
import { decodeObject, encode, secret, unknownOnWire, type Value, type Wire, type WireObject } from "./wire.ts";

type Struct = InstanceType<typeof structPb.Struct>;

/** The state of a resource in a request. */
export function stateOf(
  resource: AnyResource,
  id: string,
  inputs: Struct | undefined,
  outputs: Struct | undefined,
): State<Record<string, unknown>, Record<string, unknown>> {
  const old = decodeObject(toWire(outputs));
  // An older engine does not pass the old inputs. Those that are outputs too are read from the outputs.
  const given = inputs === undefined ? old : decodeObject(toWire(inputs));
  const known = Object.fromEntries(Object.entries(given).filter(([key]) => key in resource.inputs));
  return { id, inputs: readInputs<Record<string, unknown>>(known, resource.inputs).known, outputs: old };
}

/** Inputs with defaults, and with the marks of secrets. */
export function completed(wire: WireObject, fields: Fields): WireObject {
  const result: Record<string, Wire> = { ...wire };
  for (const [name, field] of Object.entries(fields)) {
    const value = result[name] ?? field.default;
    if (value === undefined || value === null) continue;
    result[name] = field.secret ? secret(value) : value;
  }
  return result;
}

/** The outputs of all fields. Missing ones become unknown values. */
export function outputsToWire(outputs: Readonly<Record<string, unknown>>, fields: Fields): WireObject {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const value = outputs[name] === undefined ? unknownOnWire : encode(outputs[name] as Value);
      return [name, field.secret ? secret(value) : value];
    }),
  );
}

/** The detailed answer to a diff. */
export function diffResponse(changes: Changes, outputs: Readonly<Record<string, unknown>>): pb.DiffResponse {
  const { DiffChanges } = providerPb.DiffResponse;
  const { Kind } = providerPb.PropertyDiff;
  const names = Object.keys(changes);
  const response = new providerPb.DiffResponse();
  response.setChanges(names.length === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setDiffsList(names);
  response.setReplacesList(names.filter((name) => changes[name] === "replace"));
  response.setHasdetaileddiff(true);
  for (const name of names) {
    const added = outputs[name] === undefined;
    const replaces = changes[name] === "replace";
    const kind = added ? (replaces ? Kind.ADD_REPLACE : Kind.ADD) : replaces ? Kind.UPDATE_REPLACE : Kind.UPDATE;
    response.getDetaileddiffMap().set(name, new providerPb.PropertyDiff().setKind(kind));
  }
  return response;
}

export function toWire(struct: Struct | undefined): WireObject {
  return (struct?.toJavaScript() ?? {}) as WireObject;
}

export function toStruct(wire: WireObject): Struct {
  return structPb.Struct.fromJavaScript(wire as Parameters<typeof structPb.Struct.fromJavaScript>[0]);
}

/** The answer to a check. */
export function checkResponse(inputs: WireObject, failures: readonly CheckFailure[]): pb.CheckResponse {
  return new providerPb.CheckResponse().setInputs(toStruct(inputs)).setFailuresList(checkFailures(failures));
}

/** Failures on the wire. They name no property, since the engine would print its value, which may be a secret. The reason names it instead. */
export function checkFailures(failures: readonly CheckFailure[]): pb.CheckFailure[] {
  return failures.map(({ property, reason }) =>
    new providerPb.CheckFailure().setReason(property ? `${property}: ${reason}` : reason),
  );
}
