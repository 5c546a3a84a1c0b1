import type * as pb from "@pulumi/pulumi/proto/analyzer_pb.js";
import messages from "@pulumi/pulumi/proto/analyzer_pb.js";
import type { EffectiveSettings, PolicyInfo, PolicySettings } from "./policyConfig.ts";
import type { PolicyViolation } from "./policyPack.ts";
import { fromStruct, toStruct } from "./rpc.ts";
import { nameOf, type Urn } from "./urn.ts";
import { isObject, type Properties, plain } from "./values.ts";

/** A resource as a pack sees it: inputs before it is made, outputs when all are. */
export interface PolicySubject {
  readonly urn: Urn;
  readonly type: string;
  readonly properties: Properties;
  readonly parent: Urn | undefined;
  readonly protect: boolean;
  readonly ignoreChanges: readonly string[];
  readonly deleteBeforeReplace: boolean | undefined;
  readonly additionalSecretOutputs: readonly string[];
  readonly aliases: readonly Urn[];
  readonly provider: { readonly urn: Urn; readonly type: string; readonly properties: Properties } | undefined;
}

export interface StackSubject extends PolicySubject {
  readonly dependencies: readonly Urn[];
  readonly propertyDependencies: Readonly<Record<string, readonly Urn[]>>;
}

const severities = ["", "low", "medium", "high", "critical"] as const;

/** In the order of `pulumirpc.EnforcementLevel`. */
const levels = ["advisory", "mandatory", "disabled", "remediate"] as const;

export function policyInfo(policy: pb.PolicyInfo): PolicyInfo {
  const schema = policy.getConfigschema();
  return {
    name: policy.getName(),
    level: levels[policy.getEnforcementlevel()] ?? "advisory",
    properties: fromStruct(schema?.getProperties()),
    required: schema?.getRequiredList() ?? [],
  };
}

export function settingsOf(config: pb.PolicyConfig | undefined): PolicySettings {
  return { level: levels[config?.getEnforcementlevel() ?? 0], properties: fromStruct(config?.getProperties()) };
}

function describe(
  message: Pick<pb.AnalyzeRequest, "setUrn" | "setType" | "setName" | "setProperties" | "setOptions" | "setProvider">,
  subject: PolicySubject,
): void {
  message.setUrn(subject.urn);
  message.setType(subject.type);
  message.setName(nameOf(subject.urn));
  message.setProperties(propertiesFor(subject.properties));
  const options = new messages.AnalyzerResourceOptions();
  options.setProtect(subject.protect);
  options.setIgnorechangesList([...subject.ignoreChanges]);
  options.setDeletebeforereplace(subject.deleteBeforeReplace ?? false);
  options.setDeletebeforereplacedefined(subject.deleteBeforeReplace !== undefined);
  options.setAdditionalsecretoutputsList([...subject.additionalSecretOutputs]);
  options.setAliasesList([...subject.aliases]);
  options.setParent(subject.parent ?? "");
  options.setCustomtimeouts(new messages.AnalyzerResourceOptions.CustomTimeouts());
  message.setOptions(options);
  if (!subject.provider) return;
  const provider = new messages.AnalyzerProviderResource();
  provider.setUrn(subject.provider.urn);
  provider.setType(subject.provider.type);
  provider.setName(nameOf(subject.provider.urn));
  provider.setProperties(propertiesFor(subject.provider.properties));
  message.setProvider(provider);
}

export function stackResource(subject: StackSubject): pb.AnalyzerResource {
  const message = new messages.AnalyzerResource();
  describe(message, subject);
  message.setParent(subject.parent ?? "");
  message.setDependenciesList([...subject.dependencies]);
  for (const [key, urns] of Object.entries(subject.propertyDependencies)) {
    if (urns.length === 0) continue;
    const dependencies = new messages.AnalyzerPropertyDependencies();
    dependencies.setUrnsList([...urns]);
    message.getPropertydependenciesMap().set(key, dependencies);
  }
  return message;
}

/** Properties as packs take them: secrets marked, references as ids, nothing of the engine's own. */
function propertiesFor(properties: Properties): ReturnType<typeof toStruct> {
  const own = Object.fromEntries(Object.entries(properties).filter(([key]) => !key.startsWith("__")));
  const value = plain(JSON.parse(JSON.stringify(own)));
  return toStruct(isObject(value) ? value : {});
}

/** What an answer found. `version`, if there is one, goes before the pack's own; `urnFor` says which resource is meant. */
export function violationsIn(
  response: pb.AnalyzeResponse,
  version: string,
  urnFor: (urn: Urn) => Urn,
): PolicyViolation[] {
  return response.getDiagnosticsList().map((found) => ({
    pack: found.getPolicypackname(),
    version: version || found.getPolicypackversion(),
    policy: found.getPolicyname(),
    level: levels[found.getEnforcementlevel()] === "advisory" ? "advisory" : "mandatory",
    severity: severities[found.getSeverity()] ?? "",
    urn: urnFor(found.getUrn()),
    message: found.getMessage(),
  }));
}

export function analyzeRequest(subject: PolicySubject): pb.AnalyzeRequest {
  const request = new messages.AnalyzeRequest();
  describe(request, subject);
  return request;
}

export function configureRequest(settings: ReadonlyMap<string, EffectiveSettings>): pb.ConfigureAnalyzerRequest {
  const request = new messages.ConfigureAnalyzerRequest();
  for (const [name, { level, properties }] of settings) {
    const message = new messages.PolicyConfig();
    message.setEnforcementlevel(levels.indexOf(level));
    message.setProperties(toStruct(properties));
    request.getPolicyconfigMap().set(name, message);
  }
  return request;
}
