/** The stand-in for Pulumi's tls plugin as a process, spoken to over gRPC as an engine does. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import { hasEnded } from "../../demo/childProcess.ts";
import { beside } from "./machine.ts";

export type Properties = Readonly<Record<string, unknown>>;

export const keyUrn = "urn:pulumi:dev::shop::tls:index/privateKey:PrivateKey::key";
export const requestUrn = "urn:pulumi:dev::shop::tls:index/certRequest:CertRequest::request";

/** A value that is not known yet. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const signature = "4dabf18193072939515e22adb298388d";
const secretMark = "1b47061264138c4ac30d75fd1eb44270";

export function secret(value: unknown): Properties {
  return { [signature]: secretMark, value };
}

export function isSecret(value: unknown): boolean {
  return (value as Properties | undefined)?.[signature] === secretMark;
}

/** Takes the secret marks off. */
export function revealed(properties: Properties): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [key, isSecret(value) ? (value as Properties).value : value]),
  );
}

export interface Checked {
  readonly inputs: Properties;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

export class TlsPlugin implements AsyncDisposable {
  readonly child;
  readonly #client: InstanceType<typeof providerGrpc.ResourceProviderClient>;

  private constructor(child: ReturnType<typeof spawn>, port: number) {
    this.child = child;
    this.#client = new providerGrpc.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  static async start(): Promise<TlsPlugin> {
    const child = spawn(beside("pulumi-resource-tls"), [], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    return new TlsPlugin(child, Number(port));
  }

  #call<Q, A>(method: string, request: Q): Promise<A> {
    type Method = (request: Q, callback: (error: ServiceError | null, answer: A) => void) => void;
    const client = this.#client as unknown as Record<string, Method>;
    return new Promise((resolve, reject) => {
      client[method]?.(request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  async version(): Promise<string> {
    return (await this.#call<unknown, { getVersion(): string }>("getPluginInfo", new emptyPb.Empty())).getVersion();
  }

  async configure(): Promise<pb.ConfigureResponse.AsObject> {
    const request = new providerPb.ConfigureRequest().setAcceptsecrets(true);
    return (await this.#call<unknown, pb.ConfigureResponse>("configure", request)).toObject();
  }

  checkConfig(news: Properties): Promise<Checked> {
    return this.#check("checkConfig", "urn:pulumi:dev::shop::pulumi:providers:tls::default", news);
  }

  check(urn: string, news: Properties): Promise<Checked> {
    return this.#check("check", urn, news);
  }

  async #check(method: string, urn: string, news: Properties): Promise<Checked> {
    const request = new providerPb.CheckRequest().setUrn(urn).setNews(struct(news));
    const answer = await this.#call<unknown, pb.CheckResponse>(method, request);
    return {
      inputs: plain(answer.getInputs()),
      failures: answer.getFailuresList().map((failure) => failure.toObject()),
    };
  }

  /** The inputs that are refused. */
  async refused(urn: string, news: Properties): Promise<string[]> {
    return (await this.check(urn, news)).failures.map(({ property }) => property);
  }

  async create(urn: string, inputs: Properties, preview = false): Promise<{ id: string; outputs: Properties }> {
    const request = new providerPb.CreateRequest().setUrn(urn).setProperties(struct(inputs)).setPreview(preview);
    const answer = await this.#call<unknown, pb.CreateResponse>("create", request);
    return { id: answer.getId(), outputs: plain(answer.getProperties()) };
  }

  /** The inputs that replace a resource. There are no other changes. */
  async replaces(urn: string, oldOutputs: Properties, news: Properties): Promise<string[]> {
    const request = new providerPb.DiffRequest()
      .setUrn(urn)
      .setId("id")
      .setOlds(struct(oldOutputs))
      .setNews(struct(news));
    const answer = await this.#call<unknown, pb.DiffResponse>("diff", request);
    const { DIFF_SOME, DIFF_NONE } = providerPb.DiffResponse.DiffChanges;
    const replaces = answer.getReplacesList();
    const expected = replaces.length > 0 ? DIFF_SOME : DIFF_NONE;
    if (answer.getChanges() !== expected) throw new Error("a change that does not replace");
    return replaces;
  }

  async read(urn: string, id: string, inputs: Properties, outputs: Properties) {
    const request = new providerPb.ReadRequest()
      .setUrn(urn)
      .setId(id)
      .setInputs(struct(inputs))
      .setProperties(struct(outputs));
    const answer = await this.#call<unknown, pb.ReadResponse>("read", request);
    return { id: answer.getId(), inputs: plain(answer.getInputs()), outputs: plain(answer.getProperties()) };
  }

  async delete(urn: string, id: string, outputs: Properties): Promise<void> {
    await this.#call("delete", new providerPb.DeleteRequest().setUrn(urn).setId(id).setProperties(struct(outputs)));
  }

  async invoke(token: string): Promise<void> {
    await this.#call("invoke", new providerPb.InvokeRequest().setTok(token));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    if (hasEnded(this.child)) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }
}

function struct(value: Properties): InstanceType<typeof structPb.Struct> {
  return structPb.Struct.fromJavaScript(JSON.parse(JSON.stringify(value)));
}

function plain(value: InstanceType<typeof structPb.Struct> | undefined): Properties {
  return (value?.toJavaScript() ?? {}) as Properties;
}

/** White space of Unicode in UTF-8, as Go's strings.TrimSpace removes it, each byte as a character. */
const trailingSpace =
  /(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+$/;

/** The id that the released plugin gives: the SHA-1 of a DER, which it trims as if it were text. */
export function idOf(der: Buffer): string {
  const trimmed = der.toString("latin1").replace(trailingSpace, "");
  return createHash("sha1").update(Buffer.from(trimmed, "latin1")).digest("hex");
}

/** Runs a program on files with the given contents, named `$0`, `$1`, … in the arguments, and returns what it prints. */
export function run(command: string, args: readonly string[], ...contents: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-tls-"));
  try {
    const files = contents.map((content, index) => {
      const file = join(folder, `file${index}`);
      writeFileSync(file, content, { mode: 0o600 });
      return file;
    });
    const real = args.map((arg) => arg.replace(/^\$(\d)$/, (_, index) => files[Number(index)] ?? ""));
    return execFileSync(command, real, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The DER in a PEM text. */
export function der(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\n/g, ""), "base64");
}
