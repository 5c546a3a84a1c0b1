import * as automation from "@pulumi/pulumi/automation/index.js";
import { type Cluster, mergeSettings, type parseList } from "./list.ts";
import type { StackReport } from "./report.ts";

export interface Run extends ReturnType<typeof parseList> {
  readonly operation: "up" | "preview";
  readonly pulumiCommand: automation.PulumiCommand;
  /** When aborted, no other stack starts. */
  readonly interrupted: AbortSignal;
  /** When aborted, Pulumi stops cleanly. */
  readonly cancelled: AbortSignal;
}

/** Runs the operation on a cluster's stack. Errors are part of the report and are not thrown. */
export async function runStack(cluster: Cluster, run: Run, say: (line: string) => void): Promise<StackReport> {
  const { operation, options, interrupted, timeoutSeconds } = run;
  const started = performance.now();
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const signal = AbortSignal.any([run.cancelled, timeout]);
  const errors = new Set<string>();
  let [changes, step]: [StackReport["changes"], string] = [{}, "start"];
  const onEvent = (event: automation.EngineEvent) => {
    changes = event.summaryEvent?.resourceChanges ?? changes;
    const line = lineOf(event);
    if (line && event.resourcePreEvent) step = line;
    if (line?.startsWith("error: ")) errors.add(line.slice("error: ".length));
    if (line) say(line);
  };
  let [stack, failure]: [automation.Stack?, Error?] = [];
  try {
    interrupted.throwIfAborted();
    say(`${operation} started`);
    stack = await openStack(cluster, run);
    signal.throwIfAborted();
    const common = { ...options, color: "never", onEvent, signal } as const;
    // The Automation API's `up` skips the preview, in which policies judge a stack before anything is created.
    if (operation === "preview" || options.policyPacks) await stack.preview(common);
    if (operation === "up") await stack.up(common);
  } catch (error) {
    failure = error as Error;
  }
  const outputs = await stack?.outputs().catch((error: Error) => {
    failure ??= error;
  });
  const outcomeOf = ({ message }: Error): Pick<StackReport, "status" | "error"> => {
    if (interrupted.aborted) return { status: stack ? "interrupted" : "not started" };
    if (timeout.aborted)
      return { status: "timed out", error: `no end within ${timeoutSeconds} s; stopped at: ${step}` };
    const printed = [...message.matchAll(/^\s*error: (.*)$/gm)].map(([, line]) => line);
    return { status: "failed", error: [...errors].join("\n") || printed.join("\n") || message };
  };
  const { status, error } = failure ? outcomeOf(failure) : { status: "succeeded" as const };
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  say(`${status} after ${seconds} s${error ? `: ${error}` : ""}`);
  const credentials = outputs?.credentials?.value ?? {};
  return { cluster: cluster.name, stack: cluster.stack, status, error, seconds, changes, credentials };
}

/** Opens the stack, created if it does not exist, and writes the list's settings into its settings file. */
async function openStack({ stack: stackName, settings }: Cluster, { program: workDir, pulumiCommand }: Run) {
  const stack = await automation.LocalWorkspace.createOrSelectStack({ stackName, workDir }, { pulumiCommand });
  const { name } = await stack.workspace.projectSettings();
  const present: automation.StackSettings = await stack.workspace.stackSettings(stackName).catch((error: Error) => {
    if (error.message.startsWith("failed to find stack settings")) return {};
    throw error;
  });
  const config = mergeSettings(name, present.config ?? {}, settings) as automation.StackSettings["config"];
  await stack.workspace.saveStackSettings(stackName, { ...present, config });
  return stack;
}

/** A line, without marks for colours, for a change as it begins, a warning, an error or a violation; else undefined. */
function lineOf({ resourcePreEvent, diagnosticEvent, policyEvent }: automation.EngineEvent): string | undefined {
  const { op = "same", type, urn } = resourcePreEvent?.metadata ?? {};
  if (op !== "same") return `${op} ${type?.split(":").at(-1)} ${urn?.split("::").at(-1)}`;
  const { enforcementLevel, policyName, message = diagnosticEvent?.message } = policyEvent ?? {};
  const level = enforcementLevel === "mandatory" ? "error" : enforcementLevel ? "warning" : diagnosticEvent?.severity;
  if (!/^(error|warning)$/.test(level ?? "") || /^(update|preview) failed\s*$/.test(message ?? "")) return undefined;
  const text = message?.replace(/<\{%.*?%\}>/g, "").replace(/\s*\n\s*/g, " ");
  return `${level}: ${policyName ? `policy ${policyName}: ` : ""}${text?.trim()}`;
}
