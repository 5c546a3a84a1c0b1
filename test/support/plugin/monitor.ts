/** The part of an engine at which programs and components register resources. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import resourceGrpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/resource_pb.js";
import resourcePb from "@pulumi/pulumi/proto/resource_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import type { Properties } from "./properties.ts";

export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly parent: string;
  /** References of its provider, or of those of a component. */
  readonly providers: readonly string[];
  readonly inputs: Properties;
}

export interface FakeMonitor {
  readonly address: string;
  readonly registered: Registered[];
  stop(): void;
}

type Call<Q> = { readonly request: Q };
type Answer = (error: object | null, answer?: object) => void;

const signature = "4dabf18193072939515e22adb298388d";
const resourceMark = "5cf8f73096256a8f31e491e813e4eb8e";

/** A reference to a resource, as a property of another one. */
export function referenceTo(type: string, name: string): Properties {
  const urn = `urn:pulumi:dev::test::${type}::${name}`;
  return { [signature]: resourceMark, urn, id: name, packageVersion: "" };
}

/**
 * Registers everything. The outputs of a resource are its inputs and those that are given for its type.
 *
 * @param outputs by type
 */
export async function startMonitor(outputs: Readonly<Record<string, Properties>>): Promise<FakeMonitor> {
  const registered: Registered[] = [];
  const server = new Server();
  const { ResourceMonitorFeature: feature } = resourcePb;
  const struct = (value: Properties) => structPb.Struct.fromJavaScript(JSON.parse(JSON.stringify(value)));
  const typeOf = (urn: string) => urn.split("::")[2]?.split("$").at(-1) ?? "";
  server.addService(resourceGrpc.ResourceMonitorService, {
    getDeploymentInfo: (_call: Call<unknown>, answer: Answer) =>
      answer(
        null,
        new resourcePb.DeploymentInfo().setSupportedfeaturesList([
          feature.RESOURCE_MONITOR_FEATURE_SECRETS,
          feature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
          feature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
          feature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
        ]),
      ),
    registerResource({ request }: Call<pb.RegisterResourceRequest>, answer: Answer) {
      const [type, name, parent] = [request.getType(), request.getName(), request.getParent()];
      const chain = parent ? `${parent.split("::")[2]}$` : "";
      const inputs = (request.getObject()?.toJavaScript() ?? {}) as Properties;
      const ofComponent = [...request.getProvidersMap().entries()].map(([, reference]) => reference);
      registered.push({
        type,
        name,
        parent,
        providers: request.getCustom() ? [request.getProvider()] : ofComponent,
        inputs,
      });
      const response = new resourcePb.RegisterResourceResponse()
        .setUrn(`urn:pulumi:dev::test::${chain}${type}::${name}`)
        .setObject(struct({ ...inputs, ...outputs[type] }));
      answer(null, request.getCustom() ? response.setId(`id-of-${name}`) : response);
    },
    registerResourceOutputs: (_call: Call<unknown>, answer: Answer) => answer(null, new emptyPb.Empty()),
    invoke({ request }: Call<pb.ResourceInvokeRequest>, answer: Answer) {
      const { urn } = (request.getArgs()?.toJavaScript() ?? {}) as { urn: string };
      const state = outputs[typeOf(urn)] ?? {};
      answer(null, new resourcePb.ResourceInvokeResponse().setReturn(struct({ urn, id: "id", state })));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { address: `127.0.0.1:${port}`, registered, stop: () => server.forceShutdown() };
}
