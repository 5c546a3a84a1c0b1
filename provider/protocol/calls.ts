/** Construct and Invoke of the protocol: components and functions for programs in other languages. */
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import { checkFailures, toStruct, toWire } from "./convert.ts";
import { ComponentError, ProviderError } from "./errors.ts";
import type { CheckFailure } from "./fields.ts";
import { type ComponentSpec, componentOf } from "./schema.ts";
import { decodeObject, type ValueObject, type Wire, type WireObject } from "./wire.ts";

/** A constructed component. */
export interface Constructed {
  readonly urn: string;
  readonly state: WireObject;
  /** URNs of the resources that a property depends on, by property. */
  readonly dependencies: ReadonlyMap<string, readonly string[]>;
}

/** The refusal of a component's arguments. */
export interface Refused {
  /** Message for the user. */
  readonly refused: string;
}

/** Creates a component. `engine` is the address of the engine. */
export type Construct = (
  request: pb.ConstructRequest,
  spec: ComponentSpec,
  engine: string,
) => Promise<Constructed | Refused>;

/** Calls a function. */
export type Invoke = (token: string, args: ValueObject) => { readonly result: Wire } | readonly CheckFailure[];

/** @throws ComponentError if the component refuses its arguments; ProviderError TYPE_UNKNOWN */
export async function constructResponse(
  request: pb.ConstructRequest,
  engine: string,
  construct: Construct,
): Promise<pb.ConstructResponse> {
  const spec = componentOf(request.getType());
  if (spec === undefined) throw new ProviderError("TYPE_UNKNOWN", `k8sauth has no component "${request.getType()}".`);
  const constructed = await construct(request, spec, engine);
  if ("refused" in constructed) throw new ComponentError(constructed.refused);
  const { urn, state, dependencies } = constructed;
  const response = new providerPb.ConstructResponse().setUrn(urn).setState(toStruct(state));
  for (const [name, urns] of dependencies) {
    const entry = new providerPb.ConstructResponse.PropertyDependencies().setUrnsList([...urns]);
    response.getStatedependenciesMap().set(name, entry);
  }
  return response;
}

export function invokeResponse(request: pb.InvokeRequest, invoke: Invoke): pb.InvokeResponse {
  const answer = invoke(request.getTok(), decodeObject(toWire(request.getArgs())));
  const response = new providerPb.InvokeResponse();
  return "result" in answer ? response.setReturn(toStruct(answer)) : response.setFailuresList(checkFailures(answer));
}
