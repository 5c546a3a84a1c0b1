import { join } from "node:path";
import type { Changes, Operation, Value } from "../../engine/index.ts";
import { publicFacts, type StackDriver, type StackFacts, StackFailure, type Task, type Watch } from "./driver.ts";

type Automation = typeof import("@pulumi/pulumi/automation/index.js");
type Stack = import("@pulumi/pulumi/automation/index.js").Stack;
type Event = import("@pulumi/pulumi/automation/index.js").EngineEvent;

/** The CLI's words for what it does, as those of the embedded engine. What is not here is part of another one. */
const operations: Readonly<Record<string, Operation>> = {
  same: "same",
  create: "create",
  update: "update",
  replace: "replace",
  delete: "delete",
};

/** Pulumi's Automation API: the Pulumi CLI does the work, with whatever backend it is logged in to. */
export class AutomationDriver implements StackDriver {
  readonly engine = "pulumi";
  readonly #env: Record<string, string>;
  readonly #secretsProvider: string | undefined;
  #automation: Promise<Automation> | undefined;

  constructor(env: NodeJS.ProcessEnv, secretsProvider?: string) {
    this.#env = Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    this.#secretsProvider = secretsProvider;
  }

  async run(task: Task, watch: Watch): Promise<Changes> {
    const { operation, refreshFirst, policyPacks, cluster } = task;
    watch.signal.throwIfAborted();
    checkSettingsFile(task);
    try {
      const { LocalWorkspace } = await this.#load();
      const args = { stackName: cluster.stack, workDir: task.program };
      const stack = await LocalWorkspace.createOrSelectStack(args, this.#workspace());
      const options = { color: "never", onEvent: (event: Event) => show(event, watch), signal: watch.signal } as const;
      const packs = policyPacks.length > 0 ? { policyPacks: [...policyPacks] } : {};
      if (operation === "preview") {
        const { changeSummary } = await stack.preview({ ...options, ...packs });
        return changesOf(changeSummary as Record<string, number>);
      }
      const { summary } = await this.#change(stack, operation, { ...options, ...packs, refresh: refreshFirst });
      return changesOf(summary.resourceChanges ?? {});
    } catch (error) {
      throw asFailure(error);
    }
  }

  async facts({ cluster, program }: Omit<Task, "operation">): Promise<StackFacts | undefined> {
    const { LocalWorkspace, StackNotFoundError } = await this.#load();
    try {
      const stack = await LocalWorkspace.selectStack({ stackName: cluster.stack, workDir: program }, this.#workspace());
      const outputs = Object.entries(await stack.outputs()).filter(([, { secret }]) => !secret);
      return publicFacts(Object.fromEntries(outputs.map(([name, { value }]) => [name, value as Value])));
    } catch (error) {
      if (error instanceof StackNotFoundError) return undefined;
      throw asFailure(error);
    }
  }

  #change(stack: Stack, operation: "up" | "refresh" | "destroy", options: Parameters<Stack["up"]>[0] & object) {
    if (operation === "up") return stack.up(options);
    const { refresh: _refresh, policyPacks: _packs, ...rest } = options;
    return operation === "refresh" ? stack.refresh(rest) : stack.destroy(rest);
  }

  /** It takes half a second and a hundred megabytes: not for whoever has the embedded engine. */
  #load(): Promise<Automation> {
    this.#automation ??= import("@pulumi/pulumi/automation/index.js");
    return this.#automation;
  }

  #workspace() {
    return { envVars: this.#env, ...(this.#secretsProvider && { secretsProvider: this.#secretsProvider }) };
  }
}

/** The CLI writes a new stack's salt beside Pulumi.yaml, wherever else its settings are. */
function checkSettingsFile({ settingsFile, program, cluster }: Task): void {
  if (settingsFile === join(program, `Pulumi.${cluster.stack}.yaml`)) return;
  throw new StackFailure(
    "With Pulumi's Automation API settings are beside Pulumi.yaml: leave settingsFolder out of the list.",
  );
}

function show({ resourcePreEvent, resOutputsEvent, diagnosticEvent }: Event, { progress, log }: Watch): void {
  const words = ({ op, type, urn }: { op: string; type: string; urn: string }) =>
    `${op} ${type.split(":").at(-1)} ${urn.split("::").at(-1)}`;
  if (resourcePreEvent && resourcePreEvent.metadata.op !== "same") progress(words(resourcePreEvent.metadata));
  if (resOutputsEvent && resOutputsEvent.metadata.op !== "same") log(words(resOutputsEvent.metadata));
  if (diagnosticEvent && !diagnosticEvent.ephemeral)
    log(`${diagnosticEvent.severity}: ${diagnosticEvent.message.trim()}`);
}

function changesOf(summary: Readonly<Record<string, number | undefined>>): Changes {
  const entries = Object.entries(summary).flatMap(([op, count]) => {
    const operation = operations[op];
    return operation && count ? [[operation, count] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** The CLI's output whole is too much: the lines that begin with `error:` say what was wrong. */
function asFailure(error: unknown): StackFailure {
  if (error instanceof StackFailure) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes("spawn pulumi ENOENT")) {
    return new StackFailure("The Pulumi CLI is not on the PATH. Install it, or take --engine embedded.");
  }
  const lines = text.split("\n").map((line) => line.trim());
  const errors = [
    ...new Set(lines.filter((line) => /^error: /.test(line)).map((line) => line.slice("error: ".length))),
  ];
  return new StackFailure(errors.length > 0 ? errors.join("\n") : (lines.find((line) => line !== "") ?? "It failed."));
}
