import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import { checkDeployer, Deployer, type DeployerConfig, deployerFields } from "../cluster/deployer.ts";
import { checkResponse, completed, diffResponse, toWire } from "./convert.ts";
import { readInputs, same } from "./fields.ts";
import { providerDescriptions } from "./schema.ts";
import { decodeObject, type WireObject } from "./wire.ts";

/** The configuration of the provider: CheckConfig, DiffConfig and Configure of the protocol. */
export class ProviderConfiguration {
  /** The configured deployer. */
  deployer = new Deployer();
  /** Configuration from the program. Undefined for a provider of the state, which the engine configures without a check. */
  #passed: Partial<DeployerConfig> | undefined;

  check(request: pb.CheckRequest): pb.CheckResponse {
    const wire = ownConfig(request.getUrn(), toWire(request.getNews()));
    const inputs = readInputs<DeployerConfig>(decodeObject(settingsOf(wire)), deployerFields, providerDescriptions);
    this.#passed = inputs.known;
    const failures = inputs.failures.length > 0 ? inputs.failures : checkDeployer(inputs);
    return checkResponse(completed(wire, deployerFields), failures);
  }

  /**
   * Other credentials update the provider and never replace it: a replacement would replace every resource of it. The resource Cluster refuses
   * credentials of another cluster. `offline` has no effect on resources.
   */
  diff(request: pb.DiffRequest): pb.DiffResponse {
    const before = decodeObject(toWire(request.getOldInputs() ?? request.getOlds()));
    const after = decodeObject(toWire(request.getNews()));
    const changed = (["kubeconfig", "context"] as const).filter((name) => !same(before[name], after[name]));
    return diffResponse(Object.fromEntries(changed.map((name) => [name, "update"])), before);
  }

  configure(request: pb.ConfigureRequest): pb.ConfigureResponse {
    const { known, unknown } = readInputs<DeployerConfig>(
      decodeObject(settingsOf(toWire(request.getArgs()))),
      deployerFields,
    );
    // Without a change in `diff` the engine configures with the values of the state, which may have an old `offline`.
    const { offline = known.offline } = this.#passed ?? {};
    const origin = { unknown: unknown.size > 0, fromState: this.#passed === undefined };
    this.deployer = new Deployer({ ...known, offline }, origin);
    const response = new providerPb.ConfigureResponse();
    response.setAcceptsecrets(true);
    response.setAcceptresources(true);
    response.setAcceptoutputs(true);
    response.setSupportspreview(true);
    return response;
  }
}

/**
 * The configuration from the program. Pulumi passes the stack's settings with the package's name to the default provider. The project of this
 * repository has the same name, and its settings are not the provider's, so they are removed and do not get into the state.
 */
function ownConfig(urn: string, config: WireObject): WireObject {
  const [, project, type, name = ""] = urn.replace(/^urn:pulumi:/, "").split("::");
  const byDefault = name === "default" || name.startsWith("default_");
  if (!byDefault || project !== type?.split(":").at(-1)) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => isEngineKey(key)));
}

/** The configuration without Pulumi's own keys. */
function settingsOf(config: WireObject): WireObject {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !isEngineKey(key)));
}

function isEngineKey(key: string): boolean {
  return key === "version" || key === "pluginDownloadURL" || key.startsWith("__");
}
