import grpc from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import monitorGrpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/resource_pb.js";
import messages from "@pulumi/pulumi/proto/resource_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Registered } from "./deployment.ts";
import { unsupported } from "./errors.ts";
import type { DiagnosticEvent, EventSink } from "./events.ts";
import { channelOptions, fromStruct, listen, serve, toStruct, unimplemented } from "./rpc.ts";
import type { Urn } from "./urn.ts";
import type { Properties } from "./values.ts";

/** What the program's requests end in. */
export interface MonitorHandler {
  register(request: pb.RegisterResourceRequest): Promise<Registered>;
  registerOutputs(urn: Urn, outputs: Properties): Promise<void>;
  /** The program has said all that it has to say: resolves when it may end. */
  programDone(): Promise<void>;
}

export interface Servers {
  /** Address of `pulumirpc.Engine`, for the program and the plugins. */
  readonly engineAddress: string;
  readonly monitorAddress: string;
  close(): void;
}

/**
 * Features that the engine carries. Of the two options below that it does not, it takes the registration and refuses it
 * with an error of its own, which says more than the SDK's.
 */
const features = new Set(["secrets", "resourceReferences", "aliasSpecs", "deletedWith", "replaceWith"]);

/** Serves `pulumirpc.ResourceMonitor` and `pulumirpc.Engine` on loopback. */
export async function startServers(handler: MonitorHandler, emit: EventSink): Promise<Servers> {
  const server = new grpc.Server(channelOptions);
  server.addService(monitorGrpc.ResourceMonitorService as unknown as grpc.ServiceDefinition, monitorService(handler));
  server.addService(engineGrpc.EngineService as unknown as grpc.ServiceDefinition, engineService(emit));
  const address = await listen(server);
  return { engineAddress: address, monitorAddress: address, close: () => server.forceShutdown() };
}

function monitorService(handler: MonitorHandler): grpc.UntypedServiceImplementation {
  const refused = (what: string) => serve(() => Promise.reject(unsupported(what, "The program")));
  const missing = (method: string) => serve(() => Promise.reject(unimplemented(method)));
  return {
    getDeploymentInfo: missing("getDeploymentInfo"),
    supportsFeature: serve(async (request: pb.SupportsFeatureRequest) => {
      const response = new messages.SupportsFeatureResponse();
      response.setHassupport(features.has(request.getId()));
      return response;
    }),
    registerResource: serve(async (request: pb.RegisterResourceRequest) => {
      const { urn, id, outputs } = await handler.register(request);
      const response = new messages.RegisterResourceResponse();
      response.setUrn(urn);
      response.setId(id);
      response.setObject(toStruct(outputs));
      return response;
    }),
    registerResourceOutputs: serve(async (request: pb.RegisterResourceOutputsRequest) => {
      await handler.registerOutputs(request.getUrn(), fromStruct(request.getOutputs()));
      return new empty.Empty();
    }),
    signalAndWaitForShutdown: serve(async () => {
      await handler.programDone();
      return new empty.Empty();
    }),
    invoke: serve((request: pb.ResourceInvokeRequest) =>
      Promise.reject(unsupported(`the function ${request.getTok()}`, "The program")),
    ),
    call: refused("methods of remote components"),
    readResource: serve((request: pb.ReadResourceRequest) =>
      Promise.reject(unsupported("reading existing resources (X.get)", `${request.getType()} "${request.getName()}"`)),
    ),
    existsResource: refused("existsResource"),
    registerStackTransform: refused("stack transforms"),
    registerStackInvokeTransform: refused("invoke transforms"),
    registerResourceHook: refused("resource hooks"),
    registerErrorHook: refused("error hooks"),
    registerPackage: refused("parameterized packages"),
  };
}

function engineService(emit: EventSink): grpc.UntypedServiceImplementation {
  let root = "";
  const { DEBUG, INFO, WARNING } = engineMessages.LogSeverity;
  const severityOf = (severity: number): DiagnosticEvent["severity"] => {
    if (severity === INFO) return "info";
    return severity === WARNING ? "warning" : "error";
  };
  return {
    log: serve(async (request: enginePb.LogRequest) => {
      const urn = request.getUrn();
      // The SDK's debug messages hold whole responses, secrets included: they go nowhere.
      if (request.getSeverity() === DEBUG) return new empty.Empty();
      emit({
        kind: "diagnostic",
        severity: severityOf(request.getSeverity()),
        message: request.getMessage(),
        ephemeral: request.getEphemeral(),
        ...(urn && { urn }),
      });
      return new empty.Empty();
    }),
    getRootResource: serve(async () => {
      const response = new engineMessages.GetRootResourceResponse();
      response.setUrn(root);
      return response;
    }),
    setRootResource: serve(async (request: enginePb.SetRootResourceRequest) => {
      root = request.getUrn();
      return new engineMessages.SetRootResourceResponse();
    }),
    startDebugging: serve(() => Promise.reject(unimplemented("startDebugging"))),
    requirePulumiVersion: serve(() => Promise.reject(unsupported("requirePulumiVersion", "The program"))),
  };
}

/** For operations that run no program. */
export const idleHandler: MonitorHandler = {
  register: () => Promise.reject(new Error("No program runs.")),
  registerOutputs: () => Promise.reject(new Error("No program runs.")),
  programDone: async () => {},
};
