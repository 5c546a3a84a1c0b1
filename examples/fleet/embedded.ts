import {
  type Changes,
  destroy,
  EngineError,
  type EngineEvent,
  nameOf,
  openStack,
  type Properties,
  refresh,
  typeOf,
  update,
} from "../../engine/index.ts";
import { publicFacts, type StackDriver, type StackFacts, StackFailure, type Task, type Watch } from "./driver.ts";

const stackType = "pulumi:pulumi:Stack";

/** This repository's embedded engine, with state in `PULUMI_BACKEND_URL` or the user's state folder. */
export class EmbeddedDriver implements StackDriver {
  readonly engine = "embedded";
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  async run(task: Task, watch: Watch): Promise<Changes> {
    const { operation, refreshFirst, policyPacks } = task;
    const options = { ...this.#stack(task), emit: (event: EngineEvent) => show(event, watch), signal: watch.signal };
    const packs = policyPacks.map((folder) => ({ folder }));
    try {
      if (operation === "refresh") return (await refresh({ ...options, preview: false })).changes;
      if (operation === "destroy") return (await destroy({ ...options, preview: false })).changes;
      if (operation === "up" && refreshFirst) await refresh({ ...options, preview: false });
      return (await update({ ...options, preview: operation === "preview", policyPacks: packs })).changes;
    } catch (error) {
      throw new StackFailure((error as Error).message, error instanceof EngineError ? error.code : undefined);
    }
  }

  async facts(task: Omit<Task, "operation">): Promise<StackFacts | undefined> {
    const { checkpoint } = await openStack({ ...this.#stack(task), emit: () => {} });
    if (!checkpoint) return undefined;
    // Ciphertexts are left as they are: what may be shown needs no key.
    const root = checkpoint.deployment.resources?.find(({ type }) => type === stackType);
    return publicFacts((root?.outputs ?? {}) as Properties);
  }

  #stack({ program, cluster, settingsFile }: Omit<Task, "operation">) {
    return { folder: program, stack: cluster.stack, configFile: settingsFile, env: this.#env };
  }
}

function show(event: EngineEvent, { progress, log }: Watch): void {
  if (event.kind === "diagnostic") {
    const { severity, message, ephemeral } = event;
    if (ephemeral) progress(message);
    else log(severity === "info" ? message : `${severity}: ${message}`);
    return;
  }
  const { state, operation, urn } = event;
  if (operation === "same") return;
  const what = `${operation} ${typeOf(urn).split(":").at(-1)} ${nameOf(urn)}`;
  if (state === "started") progress(what);
  else log(state === "failed" ? `${what} failed` : what);
}
