import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import grpc from "@grpc/grpc-js";
import analyzerGrpc from "@pulumi/pulumi/proto/analyzer_grpc_pb.js";
import type * as pb from "@pulumi/pulumi/proto/analyzer_pb.js";
import messages from "@pulumi/pulumi/proto/analyzer_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { parse } from "yaml";
import { EngineError, messageOf, unsupported } from "./errors.ts";
import { portOf, stop } from "./plugin.ts";
import { policySettings } from "./policyConfig.ts";
import {
  analyzeRequest,
  configureRequest,
  type PolicySubject,
  policyInfo,
  type StackSubject,
  settingsOf,
  stackResource,
  violationsIn,
} from "./policyMessages.ts";
import { call, channelOptions } from "./rpc.ts";
import type { ProgramConfig } from "./settings.ts";
import type { Urn } from "./urn.ts";

/** A policy pack to be asked about every resource. */
export interface PolicyPackOptions {
  /** The folder of PulumiPolicy.yaml. */
  readonly folder: string;
  /** A JSON file with the policies' settings: by name, a level or an object with `enforcementLevel` and settings. */
  readonly configFile?: string | undefined;
  /** How long it may think about one question, in milliseconds. @default 60000 */
  readonly answerMs?: number;
}

/** What a policy found. */
export interface PolicyViolation {
  readonly pack: string;
  readonly version: string;
  readonly policy: string;
  /** A mandatory one stops an `up`, and fails a preview. */
  readonly level: "advisory" | "mandatory";
  /** "" where the policy has none. */
  readonly severity: "" | "low" | "medium" | "high" | "critical";
  readonly urn: Urn;
  /** As the policy says it. Packs see secrets: whether they keep them is theirs. */
  readonly message: string;
}

/** The run that a pack is told of. */
export interface PolicyContext {
  readonly project: string;
  readonly stack: string;
  readonly preview: boolean;
  readonly config: ProgramConfig;
  readonly engineAddress: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the pack prints. */
  readonly say: (line: string) => void;
  /** Aborting ends a pack that has not started yet. */
  readonly signal?: AbortSignal;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, response: Response) => void,
) => grpc.ClientUnaryCall;
type Empty = InstanceType<typeof empty.Empty>;

/** The methods of the generated client that the engine calls. */
interface Client extends grpc.Client {
  analyze: Unary<pb.AnalyzeRequest, pb.AnalyzeResponse>;
  analyzeStack: Unary<pb.AnalyzeStackRequest, pb.AnalyzeResponse>;
  configureStack: Unary<pb.AnalyzerStackConfigureRequest, pb.AnalyzerStackConfigureResponse>;
  getAnalyzerInfo: Unary<Empty, pb.AnalyzerInfo>;
  configure: Unary<pb.ConfigureAnalyzerRequest, Empty>;
}

/** A policy pack as a child process, spoken to over `pulumirpc.Analyzer`. */
export class PolicyPack {
  readonly #folder: string;
  readonly #client: Client;
  readonly #stop: () => Promise<void>;
  readonly #answerMs: number;
  /** Of PulumiPolicy.yaml, which goes before the package's. */
  readonly #version: string;

  private constructor(
    { folder, answerMs = 60_000 }: PolicyPackOptions,
    client: Client,
    version: string,
    stopChild: () => Promise<void>,
  ) {
    this.#folder = folder;
    this.#answerMs = answerMs;
    this.#client = client;
    this.#version = version;
    this.#stop = stopChild;
  }

  /** Starts a pack as Pulumi's language host does, and hands it its settings. Throws `POLICY_PACK_INVALID`. */
  static async start(options: PolicyPackOptions, context: PolicyContext): Promise<PolicyPack> {
    const { folder, configFile } = options;
    const { version } = await readManifest(folder);
    const child = spawn(process.execPath, [runnerOf(folder), context.engineAddress, folder], {
      cwd: folder,
      env: { ...context.env, ...environment(context) },
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    const errors: string[] = [];
    let serving = false;
    const abort = () => void child.kill("SIGKILL");
    context.signal?.addEventListener("abort", abort, { once: true });
    if (context.signal?.aborted) abort();
    createInterface({ input: child.stderr }).on("line", (line) => (serving ? context.say(line) : errors.push(line)));
    try {
      const port = await portOf(child, `The policy pack ${folder}`, () => errors.join("\n"));
      serving = true;
      const credentials = grpc.credentials.createInsecure();
      const client = new analyzerGrpc.AnalyzerClient(`127.0.0.1:${port}`, credentials, channelOptions);
      const pack = new PolicyPack(options, client as unknown as Client, version, () => stop(child));
      await pack.#configure(folder, configFile, context);
      return pack;
    } catch (error) {
      await stop(child);
      throw error;
    } finally {
      context.signal?.removeEventListener("abort", abort);
    }
  }

  /** What the pack's policies find in one resource. */
  async analyze(subject: PolicySubject): Promise<PolicyViolation[]> {
    const request = analyzeRequest(subject);
    const response = await this.#ask<pb.AnalyzeRequest, pb.AnalyzeResponse>("analyze", request);
    return violationsIn(response, this.#version, () => subject.urn);
  }

  /** What they find in a stack as a whole; `root` stands for what is said of no resource. */
  async analyzeStack(subjects: readonly StackSubject[], root: Urn): Promise<PolicyViolation[]> {
    const request = new messages.AnalyzeStackRequest();
    request.setResourcesList(subjects.map(stackResource));
    const response = await this.#ask<pb.AnalyzeStackRequest, pb.AnalyzeResponse>("analyzeStack", request);
    const known = new Set(subjects.map(({ urn }) => urn));
    return violationsIn(response, this.#version, (urn) => (known.has(urn) ? urn : root));
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#stop();
  }

  async #configure(folder: string, file: string | undefined, context: PolicyContext): Promise<void> {
    const run = new messages.AnalyzerStackConfigureRequest();
    run.setStack(context.stack);
    run.setProject(context.project);
    run.setOrganization("organization");
    run.setDryRun(context.preview);
    for (const [key, value] of Object.entries(context.config.values)) run.getConfigMap().set(key, value);
    run.setConfigSecretKeysList([...context.config.secretKeys]);
    await this.#ask("configureStack", run).catch((error: Error) => {
      if ((error.cause as grpc.ServiceError | undefined)?.code !== grpc.status.UNIMPLEMENTED) throw error;
    });
    const info = await this.#ask<Empty, pb.AnalyzerInfo>("getAnalyzerInfo", new empty.Empty());
    if (!info.getSupportsconfig()) {
      if (file !== undefined) throw invalid(folder, `takes no settings, so ${file} can't apply`);
      return;
    }
    const initial = new Map(
      info
        .getInitialconfigMap()
        .toArray()
        .map(([name]) => [name, settingsOf(info.getInitialconfigMap().get(name))]),
    );
    const settings = await policySettings(info.getPoliciesList().map(policyInfo), initial, file);
    for (const [name, { level }] of settings) {
      if (level === "remediate") throw unsupported(`remediations (the policy ${name})`, `The policy pack ${folder}`);
    }
    await this.#ask("configure", configureRequest(settings));
  }

  async #ask<Request, Response>(method: Exclude<keyof Client, keyof grpc.Client>, request: Request): Promise<Response> {
    const unary = this.#client[method].bind(this.#client) as unknown as Unary<Request, Response>;
    const options = { deadline: Date.now() + this.#answerMs };
    try {
      return await call((message, respond) => unary(message, new grpc.Metadata(), options, respond), request);
    } catch (error) {
      throw new EngineError("POLICY_PACK_FAILED", `The policy pack ${this.#folder} ${this.#failure(error, method)}`, {
        cause: error,
      });
    }
  }

  #failure(error: unknown, method: string): string {
    const { code, details, message } = error as grpc.ServiceError;
    if (code === grpc.status.DEADLINE_EXCEEDED) return `did not answer within ${this.#answerMs / 1000} s (${method}).`;
    if (code === grpc.status.UNAVAILABLE) return `ended while it was asked (${method}). What it printed stands above.`;
    return `failed: ${details || message}`;
  }
}

/** As a program's: what is configured, and where it runs. */
function environment({ project, stack, preview, config }: PolicyContext): NodeJS.ProcessEnv {
  return {
    PULUMI_NODEJS_ORGANIZATION: "organization",
    PULUMI_NODEJS_PROJECT: project,
    PULUMI_NODEJS_STACK: stack,
    PULUMI_NODEJS_DRY_RUN: String(preview),
    PULUMI_CONFIG: JSON.stringify(config.values),
  };
}

async function readManifest(folder: string): Promise<{ readonly version: string }> {
  const file = join(folder, "PulumiPolicy.yaml");
  let manifest: unknown;
  try {
    manifest = parse(await readFile(file, "utf8"));
  } catch (error) {
    throw invalid(folder, `has no PulumiPolicy.yaml that can be read: ${messageOf(error)}`);
  }
  const { runtime, version } = (manifest ?? {}) as { runtime?: unknown; version?: unknown };
  const name = typeof runtime === "object" && runtime !== null ? (runtime as { name?: unknown }).name : runtime;
  if (name !== "nodejs") throw invalid(folder, `has the runtime ${JSON.stringify(name)}; this engine runs nodejs`);
  return { version: typeof version === "string" ? version : "" };
}

function runnerOf(folder: string): string {
  try {
    return createRequire(join(folder, "index.js")).resolve("@pulumi/pulumi/cmd/run-policy-pack/index.js");
  } catch {
    throw invalid(folder, "has no @pulumi/pulumi installed. Run `npm install` there");
  }
}

function invalid(folder: string, why: string): EngineError {
  return new EngineError("POLICY_PACK_INVALID", `The policy pack ${folder} ${why}.`);
}
