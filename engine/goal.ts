import type * as pb from "@pulumi/pulumi/proto/resource_pb.js";
import { EngineError, unsupported } from "./errors.ts";
import { fromStruct } from "./rpc.ts";
import { makeUrn, nameOf, parseUrn, stackType, typeOf, type Urn } from "./urn.ts";
import { containsAsset, type Properties } from "./values.ts";

/** What the program wants of one resource: a registration, read and found to hold nothing that the engine can't do. */
export interface Goal {
  readonly urn: Urn;
  readonly type: string;
  readonly custom: boolean;
  readonly parent: Urn | undefined;
  readonly inputs: Properties;
  readonly dependencies: Urn[];
  readonly propertyDependencies: Record<string, Urn[]>;
  /** `URN::ID`, where the program chose a provider. */
  readonly provider: string | undefined;
  /** The version of the package that the SDK asks for, for the default provider. */
  readonly version: string;
  readonly protect: boolean | undefined;
  readonly retainOnDelete: boolean | undefined;
  /** Undefined leaves the choice to the provider. */
  readonly deleteBeforeReplace: boolean | undefined;
  readonly ignoreChanges: string[];
  /** Property paths whose change replaces the resource; "*" stands for all. */
  readonly replaceOnChanges: string[];
  readonly additionalSecretOutputs: string[];
  /** URNs by which earlier versions of the program may have called it. */
  readonly aliases: Urn[];
}

export interface StackContext {
  readonly stack: string;
  readonly project: string;
  /** The aliases of resources registered before, for those of their children. */
  aliasesOf(urn: Urn): readonly Urn[];
}

/** Reads a registration. Throws `UNSUPPORTED` for every option that the engine would otherwise have to ignore. */
export function readGoal(request: pb.RegisterResourceRequest, context: StackContext): Goal {
  const type = request.getType();
  const parent = request.getParent() || undefined;
  if (parent) parseUrn(parent);
  const urn = makeUrn(context.stack, context.project, parent, type, request.getName());
  refuseUnsupported(request, urn);
  const inputs = fromStruct(request.getObject());
  if (containsAsset(inputs)) throw unsupported("assets and archives", urn);
  const dependencies = request.getPropertydependenciesMap().toArray();
  return {
    urn,
    type,
    custom: request.getCustom(),
    parent,
    inputs,
    dependencies: request.getDependenciesList(),
    propertyDependencies: Object.fromEntries(
      dependencies.map(([key]) => [key, request.getPropertydependenciesMap().get(key)?.getUrnsList() ?? []]),
    ),
    provider: request.getProvider() || undefined,
    version: request.getVersion(),
    protect: request.hasProtect() ? request.getProtect() : undefined,
    retainOnDelete: request.hasRetainondelete() ? request.getRetainondelete() : undefined,
    deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    aliases: aliasUrns(request, urn, parent, context),
  };
}

function refuseUnsupported(request: pb.RegisterResourceRequest, urn: Urn): void {
  const timeouts = request.getCustomtimeouts();
  const hooks = request.getHooks();
  const carriesHooks =
    hooks !== undefined && Object.values(hooks.toObject()).some((list) => Array.isArray(list) && list.length > 0);
  const refusals: readonly (readonly [string, boolean])[] = [
    ["remote components", request.getRemote()],
    ["the option import", request.getImportid() !== ""],
    ["the option deletedWith", request.getDeletedwith() !== ""],
    ["the option replaceWith", request.getReplaceWithList().length > 0],
    ["the option hideDiffs", request.getHidediffsList().length > 0],
    ["the option replacementTrigger", request.hasReplacementTrigger()],
    ["the option transforms", request.getTransformsList().length > 0],
    ["the option stateMigrations", request.getStateMigrationsList().length > 0],
    ["the option hooks", carriesHooks],
    ["the option envVarMappings", request.getEnvvarmappingsMap().getLength() > 0],
    ["the option customTimeouts", timeouts !== undefined && Object.values(timeouts.toObject()).some(Boolean)],
    ["the option pluginDownloadURL", request.getPlugindownloadurl() !== ""],
    ["the option pluginChecksums", request.getPluginchecksumsMap().getLength() > 0],
    ["parameterized packages", request.getPackageref() !== ""],
  ];
  for (const [what, asked] of refusals) if (asked) throw unsupported(what, urn);
  const plainPath = /^[\w-]+(\.[\w-]+)*$/;
  if (request.getIgnorechangesList().some((path) => !plainPath.test(path))) {
    throw unsupported("ignoreChanges with indexes or wildcards", urn);
  }
  if (request.getReplaceonchangesList().some((path) => path !== "*" && !plainPath.test(path))) {
    throw unsupported("replaceOnChanges with indexes or wildcards inside a path", urn);
  }
}

/** The URNs that a registration's aliases stand for, also those that follow from its parent's aliases. */
function aliasUrns(
  request: pb.RegisterResourceRequest,
  urn: Urn,
  parent: Urn | undefined,
  context: StackContext,
): Urn[] {
  const type = request.getType();
  const name = request.getName();
  const urns = new Set<Urn>(request.getAliasurnsList());
  const isStack = (other: Urn | undefined) => other !== undefined && typeOf(other) === stackType;
  const add = (of: { stack?: string; project?: string; parent: Urn | undefined; type: string; name: string }) =>
    urns.add(makeUrn(of.stack || context.stack, of.project || context.project, of.parent, of.type, of.name));
  for (const alias of request.getAliasesList()) {
    if (alias.getUrn()) {
      urns.add(alias.getUrn());
      continue;
    }
    const spec = alias.getSpec();
    if (!spec) continue;
    const aliasParent = spec.getNoparent() ? undefined : spec.getParenturn() || parent;
    const common = {
      stack: spec.getStack(),
      project: spec.getProject(),
      type: spec.getType() || type,
      name: spec.getName() || name,
    };
    add({ ...common, parent: aliasParent });
    if (aliasParent) for (const former of context.aliasesOf(aliasParent)) add({ ...common, parent: former });
  }
  if (parent && !isStack(parent)) {
    for (const former of context.aliasesOf(parent)) {
      add({ parent: former, type, name });
      // A child that is named after its parent is renamed with it.
      const [now, before] = [nameOf(parent), nameOf(former)];
      if (now !== before && name.startsWith(now)) add({ parent: former, type, name: before + name.slice(now.length) });
    }
  }
  urns.delete(urn);
  return [...urns];
}

/** Puts the old values in the place of inputs whose changes are to be ignored. */
export function withIgnoredChanges(
  news: Properties,
  olds: Properties | undefined,
  paths: readonly string[],
): Properties {
  if (!olds || paths.length === 0) return news;
  const result = structuredClone(news);
  for (const path of paths) copyPath(olds, result, path.split("."));
  return result;
}

function copyPath(from: Properties, to: Properties, [key, ...rest]: string[]): void {
  if (key === undefined) return;
  const [source, target] = [from[key], to[key]];
  if (rest.length > 0 && typeof source === "object" && source && typeof target === "object" && target) {
    copyPath(source as Properties, target as Properties, rest);
  } else if (rest.length === 0) {
    if (source === undefined) delete to[key];
    else to[key] = source;
  }
}

/** The error for a second registration of the same name. */
export function duplicate(urn: Urn): EngineError {
  return new EngineError(
    "RESOURCE_DUPLICATE",
    `The program registers ${urn} twice. Names must be unique among resources of one type and parent.`,
  );
}
