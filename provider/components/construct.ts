/** Components for programs in other languages. The first one loads this module, which imports the whole SDK. */
import * as pulumi from "@pulumi/pulumi";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import * as classes from "../../components/index.ts";
import { GatewayInputError } from "../../gateways/index.ts";
import type { Constructed, Refused } from "../protocol/calls.ts";
import { type ComponentSpec, version } from "../protocol/schema.ts";
import type { WireObject } from "../protocol/wire.ts";
import { argumentProblems } from "./arguments.ts";
import { awaitFeatureSupport, deserializeInputs, hookBindingFromProto, waitForRPCs, withLocalStorage } from "./sdk.ts";

type Component = new (
  name: string,
  args: pulumi.Inputs,
  opts: pulumi.ComponentResourceOptions,
) => pulumi.ComponentResource;

const byName = new Map<string, unknown>(Object.entries(classes));

/** The class of a component, or of a resource that is an argument of one. */
function classOf(type: string): Component {
  return byName.get(type.split(":").at(-1) ?? "") as Component;
}

// A reference to a resource, such as a Cluster, becomes an object again.
pulumi.runtime.registerResourceModule("k8sauth", "index", {
  version,
  construct: (name, type, urn) => new (classOf(type))(name, {}, { urn }),
});

/** Functions that reject the running constructions. An error in an `apply` rejects no promise that a construction awaits. */
const running = new Set<(error: unknown) => void>();
process.on("unhandledRejection", (error) => {
  for (const fail of running) fail(error);
});

/**
 * Creates a component and its children as the program's language would.
 *
 * @param engine address of the engine
 * @returns the component, or the refusal of its arguments. It is a value because the build bundles this module and the plugin separately: an
 *   error would be an instance of another class there.
 */
export async function construct(
  request: pb.ConstructRequest,
  spec: ComponentSpec,
  engine: string,
): Promise<Constructed | Refused> {
  const failed = Promise.withResolvers<never>();
  running.add(failed.reject);
  try {
    return await Promise.race([failed.promise, withLocalStorage(() => create(request, spec, engine))]);
  } catch (error) {
    if (isRefusal(error)) return { refused: error.message };
    throw error;
  } finally {
    running.delete(failed.reject);
    failed.promise.catch(() => {});
  }
}

async function create(request: pb.ConstructRequest, spec: ComponentSpec, engine: string): Promise<Constructed> {
  await configure(request, engine);
  const given = await deserializeInputs(request.getInputs(), request.getInputdependenciesMap());
  const args = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
  const problems = argumentProblems(args, spec);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
  const component = new (classOf(request.getType()))(request.getName(), args, optionsOf(request));
  const outputs = component as unknown as pulumi.Inputs;
  const properties = Object.fromEntries(Object.keys(spec.properties).map((key) => [key, outputs[key]]));
  const [state, dependencies] = await pulumi.runtime.serializeResourceProperties(request.getType(), properties);
  await waitForRPCs();
  const urns = await Promise.all(
    [...dependencies].map(async ([key, resources]) => [key, await Promise.all([...resources].map(urnOf))] as const),
  );
  return { urn: await urnOf(component), state: state as WireObject, dependencies: new Map(urns) };
}

/** Connects the SDK to the engine of the request, as the language host of a program does. */
async function configure(request: pb.ConstructRequest, engine: string): Promise<void> {
  pulumi.runtime.resetOptions(
    request.getProject(),
    request.getStack(),
    request.getParallel(),
    engine,
    request.getMonitorendpoint(),
    request.getDryrun(),
    request.getOrganization(),
  );
  await awaitFeatureSupport();
  const config = Object.fromEntries(request.getConfigMap().entries());
  pulumi.runtime.setAllConfig(config, request.getConfigsecretkeysList());
}

function optionsOf(request: pb.ConstructRequest): pulumi.ComponentResourceOptions {
  const parent = request.getParent();
  const deletedWith = request.getDeletedwith();
  const trigger = request.getReplacementTrigger();
  return {
    parent: parent ? new pulumi.DependencyResource(parent) : undefined,
    dependsOn: request.getDependenciesList().map((urn) => new pulumi.DependencyResource(urn)),
    providers: Object.fromEntries(
      [...request.getProvidersMap().entries()].map(([name, ref]) => [name, new pulumi.DependencyProviderResource(ref)]),
    ),
    aliases: request.getAliasesList().map(aliasOf),
    protect: request.getProtect(),
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    customTimeouts: request.getCustomtimeouts()?.toObject(),
    retainOnDelete: request.getRetainondelete(),
    deletedWith: deletedWith ? new pulumi.DependencyResource(deletedWith) : undefined,
    replaceWith: request.getReplaceWithList().map((urn) => new pulumi.DependencyResource(urn)),
    replacementTrigger: trigger && pulumi.runtime.deserializeProperty(trigger.toJavaScript(), true),
    hooks: hookBindingFromProto(request.getResourceHooks()),
  };
}

function aliasOf(alias: ReturnType<pb.ConstructRequest["getAliasesList"]>[number]): string | pulumi.Alias {
  const spec = alias.getSpec();
  if (spec === undefined) return alias.getUrn();
  return {
    ...(spec.getName() && { name: spec.getName() }),
    ...(spec.getProject() && { project: spec.getProject() }),
    ...(spec.getStack() && { stack: spec.getStack() }),
    ...(spec.getParenturn() && { parent: spec.getParenturn() }),
    ...(spec.getNoparent() && { parent: pulumi.rootStackResource }),
  };
}

function urnOf(resource: pulumi.Resource): Promise<string> {
  return (resource.urn as unknown as { promise(): Promise<string> }).promise();
}

/** Whether an error is for the user and is shown without its stack trace, as in a program. Other errors are bugs. */
function isRefusal(error: unknown): error is Error {
  const isForUser = pulumi.ResourceError.isInstance(error) || pulumi.RunError.isInstance(error);
  return isForUser || error instanceof GatewayInputError;
}
