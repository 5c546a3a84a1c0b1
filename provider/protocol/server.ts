import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { type Construct, constructResponse, type Invoke, invokeResponse } from "./calls.ts";
import { ProviderConfiguration } from "./configuration.ts";
import { checkResponse, completed, diffResponse, outputsToWire, stateOf, toStruct, toWire } from "./convert.ts";
import { type EngineLink, engineLink, noLink } from "./engine.ts";
import { describe, isProviderError, ProviderError } from "./errors.ts";
import { readInputs } from "./fields.ts";
import { Wording } from "./inputNames.ts";
import type { Log } from "./operation.ts";
import type { AnyResource, Context, Preview } from "./resource.ts";
import { descriptionsOf, packageSchema, version } from "./schema.ts";
import { decodeObject } from "./wire.ts";

/** Options of the server. */
export interface ServerOptions {
  readonly resources: readonly AnyResource[];
  readonly construct: Construct;
  readonly invoke: Invoke;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => number;
  /** Address of the engine that started the plugin. Without it an engine can attach later. */
  readonly engineAddress?: string;
  readonly link?: EngineLink;
  /** Whether that engine has ended. @default false */
  readonly engineGone?: () => boolean;
}

export interface RunningServer {
  readonly port: number;
  /** Cancels running calls, accepts no new ones, and resolves when the last call is answered. */
  drain(): Promise<void>;
  /** Cancels running calls and closes all connections at once. */
  close(): void;
}

/** Serves the resources over Pulumi's ResourceProvider protocol on a free port of 127.0.0.1. */
export async function serve(options: ServerOptions): Promise<RunningServer> {
  const handlers = new Handlers(options);
  const server = new Server({
    "grpc.max_receive_message_length": 400 << 20,
    "grpc.max_send_message_length": 400 << 20,
  });
  server.addService(providerGrpc.ResourceProviderService, handlers.service());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    drain: () => {
      handlers.cancel();
      return new Promise((resolve) => server.tryShutdown(() => resolve()));
    },
    close: () => {
      handlers.cancel();
      server.forceShutdown();
    },
  };
}

interface ResourceRequest {
  getUrn(): string;
}

class Handlers {
  readonly #options: ServerOptions;
  readonly #resources: ReadonlyMap<string, AnyResource>;
  readonly #abort = new AbortController();
  #link: EngineLink;
  #engineAddress: string | undefined;
  readonly #configuration = new ProviderConfiguration();
  /** Warnings of this run by resource, since several operations of it may have the same warning. */
  readonly #warned = new Set<string>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#resources = new Map(options.resources.map((resource) => [resource.type, resource]));
    this.#link = options.link ?? noLink;
    this.#engineAddress = options.engineAddress;
  }

  cancel(): void {
    this.#abort.abort(new ProviderError("CANCELLED", "The operation was cancelled."));
  }

  service(): UntypedServiceImplementation {
    return {
      handshake: unary(async (request: pb.ProviderHandshakeRequest) => {
        this.#attach(request.getEngineAddress());
        const response = new providerPb.ProviderHandshakeResponse();
        response.setAcceptSecrets(true);
        response.setAcceptResources(true);
        response.setAcceptOutputs(true);
        return response;
      }),
      attach: unary(async (request: InstanceType<typeof pluginPb.PluginAttach>) => {
        this.#attach(request.getAddress());
        return new emptyPb.Empty();
      }),
      getPluginInfo: unary(async () => new pluginPb.PluginInfo().setVersion(version)),
      getSchema: unary(async () => new providerPb.GetSchemaResponse().setSchema(packageSchema())),
      checkConfig: unary(async (request: pb.CheckRequest) => this.#configuration.check(request)),
      diffConfig: unary(async (request: pb.DiffRequest) => this.#configuration.diff(request)),
      configure: unary(async (request: pb.ConfigureRequest) => {
        this.#warned.clear();
        return this.#configuration.configure(request);
      }),
      check: unary((request: pb.CheckRequest) => this.#check(request)),
      diff: unary((request: pb.DiffRequest) => this.#diff(request)),
      create: unary((request: pb.CreateRequest) => this.#create(request)),
      read: unary((request: pb.ReadRequest) => this.#read(request)),
      update: unary((request: pb.UpdateRequest) => this.#update(request)),
      delete: unary((request: pb.DeleteRequest) => this.#delete(request)),
      cancel: unary(async () => {
        this.cancel();
        return new emptyPb.Empty();
      }),
      invoke: unary(async (request: pb.InvokeRequest) => invokeResponse(request, this.#options.invoke)),
      call: unary(async (request: pb.CallRequest) => unimplemented(`the method ${request.getTok()}`)),
      construct: unary((request: pb.ConstructRequest) =>
        constructResponse(request, this.#engineAddress ?? "", this.#options.construct),
      ),
      parameterize: unary(async () => unimplemented("parameterization")),
      getMapping: unary(async () => new providerPb.GetMappingResponse()),
      getMappings: unary(async () => new providerPb.GetMappingsResponse()),
      list: (call: { emit(event: string, error: object): void }) =>
        call.emit("error", { code: status.UNIMPLEMENTED, details: "k8sauth lists nothing." }),
      streamInvoke: (call: { emit(event: string, error: object): void }) =>
        call.emit("error", { code: status.UNIMPLEMENTED, details: "k8sauth streams nothing." }),
    };
  }

  #attach(address: string): void {
    if (address === "" || this.#link !== noLink) return;
    this.#link = engineLink(address);
    this.#engineAddress = address;
  }

  #resource(urn: string): AnyResource {
    // urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const resource = this.#resources.get(type);
    if (resource !== undefined) return resource;
    throw new ProviderError(
      "TYPE_UNKNOWN",
      `k8sauth has no resource type "${type}".`,
      `It has: ${[...this.#resources.keys()].join(", ")}.`,
    );
  }

  /** Runs one operation with its own log, and answers when every message has arrived. */
  async #run<T>(
    request: ResourceRequest,
    seconds: number,
    work: (resource: AnyResource, context: Context) => Promise<T>,
  ): Promise<T> {
    const { log: ownLog, flushed } = this.#link.logFor(request.getUrn());
    const wording = this.#wording(request);
    const log = wording.log({ ...ownLog, warn: (message) => this.#warnOnce(request.getUrn(), message, ownLog) });
    const { env, now, engineGone = () => false } = this.#options;
    const timeoutMs = seconds > 0 ? seconds * 1000 : undefined;
    const { deployer } = this.#configuration;
    const context = { log, env, now, deployer, signal: this.#abort.signal, engineGone, timeoutMs };
    try {
      return await work(this.#resource(request.getUrn()), context);
    } catch (error) {
      throw wording.error(deployer.withOrigin(error));
    } finally {
      await flushed();
    }
  }

  #warnOnce(urn: string, message: string, log: Log): void {
    const warning = `${urn} ${message}`;
    if (this.#warned.has(warning)) return;
    this.#warned.add(warning);
    log.warn(message);
  }

  #wording(request: ResourceRequest): Wording {
    return new Wording(this.#configuration.deployer.inputNames, request.getUrn());
  }

  async #check(request: pb.CheckRequest): Promise<pb.CheckResponse> {
    const resource = this.#resource(request.getUrn());
    const wire = toWire(request.getNews());
    const inputs = readInputs<Record<string, unknown>>(
      decodeObject(wire),
      resource.inputs,
      descriptionsOf(resource.type),
    );
    const failures = [
      ...inputs.failures,
      ...(inputs.failures.length === 0 ? ((await resource.check?.(inputs)) ?? []) : []),
    ];
    const wording = this.#wording(request);
    return checkResponse(
      completed(wire, resource.inputs),
      failures.map((failure) => wording.failure(failure)),
    );
  }

  #diff(request: pb.DiffRequest): Promise<pb.DiffResponse> {
    return this.#run(request, 0, async (resource, context) => {
      const state = stateOf(resource, request.getId(), request.getOldInputs(), request.getOlds());
      const inputs = readInputs<Record<string, unknown>>(decodeObject(toWire(request.getNews())), resource.inputs);
      if (context.deployer.unknown)
        return new providerPb.DiffResponse().setChanges(providerPb.DiffResponse.DiffChanges.DIFF_UNKNOWN);
      return diffResponse(await resource.diff(state, inputs, context), state.outputs);
    });
  }

  #create(request: pb.CreateRequest): Promise<pb.CreateResponse> {
    return this.#run(request, request.getTimeout(), async (resource, context) => {
      const inputs = readInputs<Record<string, unknown>>(
        decodeObject(toWire(request.getProperties())),
        resource.inputs,
      );
      const created: Preview<Record<string, unknown>> = request.getPreview()
        ? context.deployer.unknown
          ? unknownOutputs
          : await resource.previewCreate(inputs, context)
        : await resource.create(inputs.known, context);
      return new providerPb.CreateResponse()
        .setId(created.id ?? "")
        .setProperties(toStruct(outputsToWire(created.outputs, resource.outputs)));
    });
  }

  #update(request: pb.UpdateRequest): Promise<pb.UpdateResponse> {
    return this.#run(request, request.getTimeout(), async (resource, context) => {
      const state = stateOf(resource, request.getId(), request.getOldInputs(), request.getOlds());
      const inputs = readInputs<Record<string, unknown>>(decodeObject(toWire(request.getNews())), resource.inputs);
      const updated: Preview<Record<string, unknown>> = request.getPreview()
        ? context.deployer.unknown
          ? unknownOutputs
          : await resource.previewUpdate(state, inputs, context)
        : { outputs: await resource.update(state, inputs.known, context) };
      return new providerPb.UpdateResponse().setProperties(toStruct(outputsToWire(updated.outputs, resource.outputs)));
    });
  }

  #read(request: pb.ReadRequest): Promise<pb.ReadResponse> {
    return this.#run(request, 0, async (resource, context) => {
      const state = stateOf(resource, request.getId(), request.getInputs(), request.getProperties());
      const found = await resource.read(state, context);
      // An empty id means that the resource is gone.
      if (found === undefined) return new providerPb.ReadResponse();
      return new providerPb.ReadResponse()
        .setId(found.id)
        .setProperties(toStruct(outputsToWire(found.outputs, resource.outputs)))
        .setInputs(toStruct(completed(toWire(request.getInputs()), resource.inputs)));
    });
  }

  #delete(request: pb.DeleteRequest): Promise<InstanceType<typeof emptyPb.Empty>> {
    return this.#run(request, request.getTimeout(), async (resource, context) => {
      const state = stateOf(resource, request.getId(), request.getOldInputs(), request.getProperties());
      await context.deployer.warnIfStale(context);
      await resource.delete?.(state, context);
      return new emptyPb.Empty();
    });
  }
}

/** Wraps a function as a handler. An error becomes the call's error, which starts with its code. */
function unary<Q, A>(work: (request: Q) => Promise<A>) {
  return (call: ServerUnaryCall<Q, A>, callback: sendUnaryData<A>): void => {
    work(call.request).then(
      (answer) => callback(null, answer),
      (error: unknown) => callback({ code: statusCode(error), details: describe(error) }),
    );
  };
}

class Unimplemented extends Error {}

function unimplemented(what: string): never {
  throw new Unimplemented(`k8sauth does not support ${what}.`);
}

function statusCode(error: unknown): status {
  if (error instanceof Unimplemented) return status.UNIMPLEMENTED;
  return isProviderError(error, "CANCELLED") ? status.CANCELLED : status.UNKNOWN;
}

/** Outputs of a preview while the provider's configuration is unknown. */
const unknownOutputs: Preview<Record<string, unknown>> = { outputs: {} };
