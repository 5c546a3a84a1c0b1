/** Runs the plugin as an engine does: as a separate process, over gRPC. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import type structPb from "google-protobuf/google/protobuf/struct_pb.js";
import { expect } from "vitest";
import { hasEnded } from "../../../demo/childProcess.ts";
import type { FakeEngine } from "./engine.ts";
import { isSecret, type Properties, plain, struct } from "./properties.ts";

export const pluginPath = fileURLToPath(new URL("../../../provider/pulumi-resource-k8sauth", import.meta.url));

export interface Diff {
  readonly changes: boolean;
  readonly replaces: readonly string[];
  readonly diffs: readonly string[];
  readonly kinds: Readonly<Record<string, number>>;
}

export interface ConstructOptions {
  readonly preview?: boolean;
  /** References (`URN::ID`) by package. */
  readonly providers?: Readonly<Record<string, string>>;
}

/** The error of a call, as the engine sees it. */
export type CallError = ServiceError;

/** Splits a failure of a check. The plugin puts the property's name into the reason: for a named property the engine prints the value too. */
function namedInReason({ property: printed, reason }: { property: string; reason: string }) {
  if (printed !== "") throw new Error(`the engine would print the value of ${printed}`);
  const [, property = "", text = reason] = /^(\w+): (.*)$/s.exec(reason) ?? [];
  return { property, reason: text };
}

const providerUrn = "urn:pulumi:dev::test::pulumi:providers:k8sauth::deployer";

/** Settings of the provider, which tests can pass among a resource's inputs. */
const configured = ["kubeconfig", "context", "offline", "inputNames"];

function splitConfig(inputs: Properties): { readonly config: Properties; readonly own: Properties } {
  const entries = Object.entries(inputs);
  return {
    config: Object.fromEntries(entries.filter(([name]) => configured.includes(name))),
    own: Object.fromEntries(entries.filter(([name]) => !configured.includes(name))),
  };
}

/**
 * A plugin process. If the inputs of an operation contain settings of the provider, the provider is configured first. Otherwise its
 * configuration does not change.
 */
export class Plugin implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly client: InstanceType<typeof providerGrpc.ResourceProviderClient>;
  /** Everything that the process wrote, to both streams. */
  readonly output: string[];
  /** Every answer and error, as JSON. Tests search them for secrets. */
  readonly traffic: string[] = [];

  private constructor(child: ChildProcess, port: number, output: string[]) {
    this.child = child;
    this.output = output;
    this.client = new providerGrpc.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  static async start(
    engine?: FakeEngine,
    env: NodeJS.ProcessEnv = process.env,
    executable = pluginPath,
  ): Promise<Plugin> {
    const child = spawn(executable, engine ? [engine.address] : [], { env, stdio: ["ignore", "pipe", "pipe"] });
    const output: string[] = [];
    child.stderr.on("data", (chunk) => output.push(String(chunk)));
    const [line] = (await once(
      createInterface(child.stdout).on("line", (text) => output.push(text)),
      "line",
    )) as [string];
    return new Plugin(child, Number(line), output);
  }

  #configuring: Promise<unknown> = Promise.resolve();

  /** Configures the provider and begins the call before any other can configure it. */
  async #configuredCall<Q, A>(method: string, request: Q, config: Properties): Promise<A> {
    if (Object.keys(config).length === 0) return this.#call(method, request);
    const begun = this.#configuring.then(async () => {
      await this.configure(config);
      return { answer: this.#call<Q, A>(method, request) };
    });
    this.#configuring = begun.catch(() => {});
    return (await begun).answer;
  }

  async #call<Q, A>(method: string, request: Q): Promise<A> {
    const client = this.client as unknown as Record<
      string,
      (request: Q, callback: (error: ServiceError | null, answer: A) => void) => void
    >;
    return new Promise((resolve, reject) => {
      client[method]?.(request, (error, answer) => {
        if (error) {
          this.traffic.push(`${error.message} ${error.details}`);
          reject(error);
        } else resolve(answer);
      });
    });
  }

  async handshake(address: string): Promise<pb.ProviderHandshakeResponse> {
    return this.#call("handshake", new providerPb.ProviderHandshakeRequest().setEngineAddress(address));
  }

  /** Configures the provider as the engine does: with checked values of a program, or with those of the state. */
  async configure(
    config: Properties = {},
    from: "program" | "state" = "program",
  ): Promise<pb.ConfigureResponse.AsObject> {
    if (from === "program") expect((await this.checkConfig(config)).failures).toEqual([]);
    const request = new providerPb.ConfigureRequest().setAcceptsecrets(true).setAcceptresources(true);
    const answer = await this.#call<unknown, pb.ConfigureResponse>("configure", request.setArgs(struct(config)));
    return answer.toObject();
  }

  async checkConfig(config: Properties, ofProvider = providerUrn) {
    return checked(
      await this.#call("checkConfig", new providerPb.CheckRequest().setUrn(ofProvider).setNews(struct(config))),
    );
  }

  async diffConfig(before: Properties, after: Properties): Promise<Diff> {
    const request = new providerPb.DiffRequest()
      .setUrn(providerUrn)
      .setOlds(struct(before))
      .setOldInputs(struct(before))
      .setNews(struct(after));
    return differing(await this.#call("diffConfig", request));
  }

  async schema(): Promise<Properties> {
    const answer = await this.#call<unknown, pb.GetSchemaResponse>("getSchema", new providerPb.GetSchemaRequest());
    return JSON.parse(answer.getSchema()) as Properties;
  }

  async version(): Promise<string> {
    const answer = await this.#call<unknown, { getVersion(): string }>("getPluginInfo", new emptyPb.Empty());
    return answer.getVersion();
  }

  async cancel(): Promise<void> {
    await this.#call("cancel", new emptyPb.Empty());
  }

  async check(
    type: string,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: { property: string; reason: string }[] }> {
    const request = new providerPb.CheckRequest().setUrn(urn(type)).setNews(struct(news));
    return checked(await this.#call("check", request));
  }

  async create(type: string, inputs: Properties, options: { preview?: boolean; timeout?: number } = {}) {
    const { config, own } = splitConfig(inputs);
    const request = new providerPb.CreateRequest()
      .setUrn(urn(type))
      .setProperties(struct(own))
      .setPreview(options.preview ?? false)
      .setTimeout(options.timeout ?? 0);
    const answer = await this.#configuredCall<unknown, pb.CreateResponse>("create", request, config);
    return { id: answer.getId(), outputs: this.#outputs(answer.getProperties()) };
  }

  async diff(type: string, id: string, olds: Properties, oldInputs: Properties, news: Properties): Promise<Diff> {
    const { config, own } = splitConfig(news);
    const request = new providerPb.DiffRequest()
      .setUrn(urn(type))
      .setId(id)
      .setOlds(struct(olds))
      .setOldInputs(struct(splitConfig(oldInputs).own))
      .setNews(struct(own));
    return differing(await this.#configuredCall("diff", request, config));
  }

  async update(type: string, id: string, olds: Properties, oldInputs: Properties, news: Properties, preview = false) {
    const { config, own } = splitConfig(news);
    const request = new providerPb.UpdateRequest()
      .setUrn(urn(type))
      .setId(id)
      .setOlds(struct(olds))
      .setOldInputs(struct(splitConfig(oldInputs).own))
      .setNews(struct(own))
      .setPreview(preview);
    const answer = await this.#configuredCall<unknown, pb.UpdateResponse>("update", request, config);
    return this.#outputs(answer.getProperties());
  }

  async read(type: string, id: string, outputs: Properties, inputs: Properties) {
    const { config, own } = splitConfig(inputs);
    const request = new providerPb.ReadRequest()
      .setUrn(urn(type))
      .setId(id)
      .setProperties(struct(outputs))
      .setInputs(struct(own));
    const answer = await this.#configuredCall<unknown, pb.ReadResponse>("read", request, config);
    return { id: answer.getId(), outputs: this.#outputs(answer.getProperties()), inputs: plain(answer.getInputs()) };
  }

  async delete(type: string, id: string, outputs: Properties, inputs?: Properties): Promise<void> {
    const request = new providerPb.DeleteRequest().setUrn(urn(type)).setId(id).setProperties(struct(outputs));
    const { config, own } = splitConfig(inputs ?? {});
    await this.#configuredCall("delete", inputs === undefined ? request : request.setOldInputs(struct(own)), config);
  }

  /** Calls a function, as a program does. */
  async invoke(token: string, args: Properties) {
    const request = new providerPb.InvokeRequest().setTok(token).setArgs(struct(args));
    const answer = await this.#call<unknown, pb.InvokeResponse>("invoke", request);
    const failures = answer.getFailuresList().map((failure) => failure.getReason());
    return { outputs: this.#outputs(answer.getReturn()), failures };
  }

  /** Creates a component whose children are registered at a monitor. */
  async construct(type: string, name: string, args: Properties, monitor: string, options: ConstructOptions = {}) {
    const request = new providerPb.ConstructRequest()
      .setType(type)
      .setName(name)
      .setProject("test")
      .setStack("dev")
      .setOrganization("organization")
      .setParallel(16)
      .setMonitorendpoint(monitor)
      .setDryrun(options.preview ?? false)
      .setInputs(struct(args));
    for (const [key, reference] of Object.entries(options.providers ?? {}))
      request.getProvidersMap().set(key, reference);
    const answer = await this.#call<unknown, pb.ConstructResponse>("construct", request);
    return { urn: answer.getUrn(), outputs: this.#outputs(answer.getState()) };
  }

  /** Outputs as the plugin sent them. Adds those that are not marked secret to `traffic`. */
  #outputs(answer: InstanceType<typeof structPb.Struct> | undefined): Properties {
    const outputs = plain(answer);
    this.traffic.push(JSON.stringify(Object.entries(outputs).filter(([, value]) => !isSecret(value))));
    return outputs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    if (!hasEnded(this.child)) {
      this.child.kill("SIGKILL");
      await once(this.child, "exit");
    }
  }
}

function checked(answer: pb.CheckResponse) {
  return {
    inputs: plain(answer.getInputs()),
    failures: answer.getFailuresList().map((failure) => namedInReason(failure.toObject())),
  };
}

function differing(answer: pb.DiffResponse): Diff {
  const details = answer.getDetaileddiffMap();
  return {
    changes: answer.getChanges() === providerPb.DiffResponse.DiffChanges.DIFF_SOME,
    replaces: answer.getReplacesList(),
    diffs: answer.getDiffsList(),
    kinds: Object.fromEntries(details.toArray().map(([key]) => [key, details.get(key)?.getKind() ?? -1])),
  };
}

export function urn(type: string): string {
  return `urn:pulumi:dev::test::my:component$${type}::it`;
}
