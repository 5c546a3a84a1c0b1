import grpc from "@grpc/grpc-js";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { EngineError } from "./errors.ts";
import {
  type CheckRequest,
  type CheckResult,
  type Created,
  type CreateRequest,
  type DeleteRequest,
  type DiffRequest,
  type DiffResult,
  InitFailed,
  noDiff,
  OutcomeUnknown,
  type Provider,
  type ReadRequest,
  type ReadResult,
  type UpdateRequest,
} from "./provider.ts";
import { call, fromStruct, toStruct } from "./rpc.ts";
import { nameOf, typeOf, type Urn } from "./urn.ts";
import { isObject, type Properties, plain, type Value, withoutSecrets } from "./values.ts";

type Unary<Request, Response> = (
  request: Request,
  callback: (error: grpc.ServiceError | null, response: Response) => void,
) => grpc.ClientUnaryCall;
type Empty = InstanceType<typeof empty.Empty>;

/** The methods of the generated client that the engine calls. */
export interface ProviderClient extends grpc.Client {
  handshake: Unary<pb.ProviderHandshakeRequest, pb.ProviderHandshakeResponse>;
  checkConfig: Unary<pb.CheckRequest, pb.CheckResponse>;
  diffConfig: Unary<pb.DiffRequest, pb.DiffResponse>;
  configure: Unary<pb.ConfigureRequest, pb.ConfigureResponse>;
  check: Unary<pb.CheckRequest, pb.CheckResponse>;
  diff: Unary<pb.DiffRequest, pb.DiffResponse>;
  create: Unary<pb.CreateRequest, pb.CreateResponse>;
  update: Unary<pb.UpdateRequest, pb.UpdateResponse>;
  read: Unary<pb.ReadRequest, pb.ReadResponse>;
  delete: Unary<pb.DeleteRequest, Empty>;
  cancel: Unary<Empty, Empty>;
}

/** A resource plugin, spoken to over `pulumirpc.ResourceProvider`. */
export class GrpcProvider implements Provider {
  readonly #name: string;
  readonly #client: ProviderClient;
  readonly #engineAddress: string;
  readonly #stop: () => Promise<void>;
  #supportsPreview = false;
  #acceptsSecrets = true;
  #acceptsResources = false;

  constructor(name: string, client: ProviderClient, engineAddress: string, stop: () => Promise<void>) {
    this.#name = name;
    this.#client = client;
    this.#engineAddress = engineAddress;
    this.#stop = stop;
  }

  get supportsPreview(): boolean {
    return this.#supportsPreview;
  }

  /** The first call to a plugin; plugins older than it answer that it is not implemented. */
  async handshake(rootDirectory: string): Promise<void> {
    const request = new messages.ProviderHandshakeRequest();
    request.setEngineAddress(this.#engineAddress);
    request.setRootDirectory(rootDirectory);
    request.setProgramDirectory(rootDirectory);
    request.setConfigureWithUrn(true);
    await this.#call("handshake", request).catch((error: unknown) => {
      if ((error as grpc.ServiceError).code !== grpc.status.UNIMPLEMENTED) throw error;
    });
  }

  async checkConfig(request: CheckRequest): Promise<CheckResult> {
    return this.#optional(this.#check("checkConfig", request), { inputs: request.news, failures: [] });
  }

  async diffConfig(request: DiffRequest): Promise<DiffResult> {
    return this.#optional(this.#diff("diffConfig", request), noDiff);
  }

  async configure(inputs: Properties): Promise<void> {
    const request = new messages.ConfigureRequest();
    for (const [key, value] of Object.entries(inputs)) {
      if (value === undefined || key === "version" || key.startsWith("__")) continue;
      const bare = withoutSecrets(value);
      request
        .getVariablesMap()
        .set(`${this.#name}:config:${key}`, typeof bare === "string" ? bare : JSON.stringify(bare));
    }
    request.setArgs(toStruct(inputs));
    request.setAcceptsecrets(true);
    request.setAcceptresources(true);
    request.setSendsOldInputs(true);
    request.setSendsOldInputsToDelete(true);
    const response = await this.#call("configure", request);
    this.#supportsPreview = response.getSupportspreview();
    this.#acceptsSecrets = response.getAcceptsecrets();
    this.#acceptsResources = response.getAcceptresources();
  }

  check(request: CheckRequest): Promise<CheckResult> {
    return this.#check("check", request);
  }

  diff(request: DiffRequest): Promise<DiffResult> {
    return this.#diff("diff", request);
  }

  async create(request: CreateRequest): Promise<Created> {
    const message = new messages.CreateRequest();
    this.#identify(message, request.urn);
    message.setProperties(this.#struct(request.inputs));
    message.setPreview(request.preview);
    const response = await this.#call("create", message);
    return { id: response.getId(), outputs: fromStruct(response.getProperties()) };
  }

  async update(request: UpdateRequest): Promise<Properties> {
    const message = new messages.UpdateRequest();
    this.#identify(message, request.urn);
    message.setId(request.id);
    message.setOlds(this.#struct(request.oldOutputs));
    message.setOldInputs(this.#struct(request.oldInputs));
    message.setNews(this.#struct(request.newInputs));
    message.setIgnorechangesList([...request.ignoreChanges]);
    message.setPreview(request.preview);
    return fromStruct((await this.#call("update", message)).getProperties());
  }

  async read(request: ReadRequest): Promise<ReadResult | undefined> {
    const message = new messages.ReadRequest();
    this.#identify(message, request.urn);
    message.setId(request.id);
    message.setInputs(this.#struct(request.inputs));
    message.setProperties(this.#struct(request.outputs));
    const response = await this.#call("read", message);
    if (!response.getId()) return undefined;
    const inputs = response.hasInputs() ? fromStruct(response.getInputs()) : request.inputs;
    return { inputs, outputs: fromStruct(response.getProperties()) };
  }

  async delete(request: DeleteRequest): Promise<void> {
    const message = new messages.DeleteRequest();
    this.#identify(message, request.urn);
    message.setId(request.id);
    message.setOldInputs(this.#struct(request.inputs));
    message.setProperties(this.#struct(request.outputs));
    await this.#call("delete", message);
  }

  async cancel(): Promise<void> {
    await this.#call("cancel", new empty.Empty()).catch(() => {});
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#stop();
  }

  async #check(method: "check" | "checkConfig", request: CheckRequest): Promise<CheckResult> {
    const message = new messages.CheckRequest();
    this.#identify(message, request.urn);
    message.setOlds(this.#struct(request.olds ?? {}));
    message.setNews(this.#struct(request.news));
    const response = await this.#call(method, message);
    return {
      inputs: fromStruct(response.getInputs()),
      failures: response.getFailuresList().map((failure) => ({
        property: failure.getProperty(),
        reason: failure.getReason(),
      })),
    };
  }

  async #diff(method: "diff" | "diffConfig", request: DiffRequest): Promise<DiffResult> {
    const message = new messages.DiffRequest();
    this.#identify(message, request.urn);
    message.setId(request.id);
    message.setOlds(this.#struct(request.oldOutputs));
    message.setOldInputs(this.#struct(request.oldInputs));
    message.setNews(this.#struct(request.newInputs));
    message.setIgnorechangesList([...request.ignoreChanges]);
    const response = await this.#call(method, message);
    const detailed = response.getHasdetaileddiff()
      ? response
          .getDetaileddiffMap()
          .toArray()
          .map(([path]) => path)
      : [];
    const diffs = [...new Set([...detailed, ...response.getDiffsList()])];
    const replaces = response.getReplacesList();
    const changes = response.getChanges();
    const unsaid =
      changes === messages.DiffResponse.DiffChanges.DIFF_UNKNOWN && (diffs.length > 0 || replaces.length > 0);
    return {
      changes: unsaid || changes === messages.DiffResponse.DiffChanges.DIFF_SOME,
      replaces,
      diffs,
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  #identify(
    message: { setUrn(urn: Urn): void; setName(name: string): void; setType(type: string): void },
    urn: Urn,
  ): void {
    message.setUrn(urn);
    message.setName(nameOf(urn));
    message.setType(typeOf(urn));
  }

  #struct(properties: Properties): ReturnType<typeof toStruct> {
    let value: Value = JSON.parse(JSON.stringify(properties)) as Value;
    if (!this.#acceptsResources) value = plain(value);
    if (!this.#acceptsSecrets) value = withoutSecrets(value);
    return toStruct(isObject(value) ? value : {});
  }

  async #optional<T>(result: Promise<T>, instead: T): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if ((error as grpc.ServiceError).code === grpc.status.UNIMPLEMENTED) return instead;
      throw error;
    }
  }

  async #call<
    M extends keyof ProviderClient &
      (
        | "handshake"
        | "checkConfig"
        | "diffConfig"
        | "configure"
        | "check"
        | "diff"
        | "create"
        | "update"
        | "read"
        | "delete"
        | "cancel"
      ),
  >(method: M, request: Parameters<ProviderClient[M]>[0]): Promise<ResponseOf<M>> {
    const bound = this.#client[method].bind(this.#client) as unknown as Unary<typeof request, ResponseOf<M>>;
    try {
      return await call(bound, request);
    } catch (error) {
      throw this.#translate(error as grpc.ServiceError, method);
    }
  }

  #translate(error: grpc.ServiceError, method: string): Error {
    if (error.code === grpc.status.UNIMPLEMENTED) return error;
    const failed = initFailure(error);
    if (failed) return failed;
    if (error.code === grpc.status.UNAVAILABLE) {
      const message = `The plugin ${this.#name} ended during ${method}.`;
      return method === "create" || method === "update" || method === "delete"
        ? new OutcomeUnknown(message)
        : new EngineError("PLUGIN_FAILED", message);
    }
    return new Error(error.details || error.message);
  }
}

type ResponseOf<M extends keyof ProviderClient> =
  ProviderClient[M] extends Unary<never, infer Response> ? Response : never;

/** The detail by which a plugin says "made, but not ready"; undefined for every other error. */
function initFailure(error: grpc.ServiceError): InitFailed | undefined {
  const bytes = error.metadata?.get("grpc-status-details-bin")[0];
  if (!(bytes instanceof Buffer)) return undefined;
  for (const detail of status.Status.deserializeBinary(bytes).getDetailsList()) {
    if (!detail.getTypeUrl().endsWith("pulumirpc.ErrorResourceInitFailed")) continue;
    const failed = messages.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
    return new InitFailed(failed.getId(), fromStruct(failed.getProperties()), failed.getReasonsList());
  }
  return undefined;
}
