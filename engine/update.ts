import { Deployment, NotStarted } from "./deployment.ts";
import { cancelled, EngineError, messageOf } from "./errors.ts";
import type { Changes, Drift, EngineEvent } from "./events.ts";
import { readGoal } from "./goal.ts";
import type { PolicyGate } from "./policy.ts";
import type { PolicyPackOptions, PolicyViolation } from "./policyPack.ts";
import { type Program, runProgram } from "./program.ts";
import { refreshState } from "./refresh.ts";
import { openSession, type Session, type StackOptions } from "./session.ts";
import { hasSecrets, type ProgramConfig, programConfig, secretsOf } from "./settings.ts";
import type { Snapshot } from "./snapshot.ts";
import { stackType } from "./urn.ts";
import { type Properties, secret, type Value } from "./values.ts";

export interface UpdateResult {
  readonly changes: Changes;
  /** The stack's outputs; secrets are marked, not masked. */
  readonly outputs: Properties;
  /** What advisory policies found. */
  readonly violations: readonly PolicyViolation[];
  /** What was otherwise than the state said, with `refresh`. */
  readonly drift: readonly Drift[];
}

export interface UpdateOptions extends StackOptions {
  readonly preview: boolean;
  /** Reads every resource as it really is first. A preview writes nothing of that down. @default false */
  readonly refresh?: boolean;
  /** Every resource has to pass their mandatory policies. */
  readonly policyPacks?: readonly PolicyPackOptions[];
}

/** How long the steps under way may go on after a cancellation before the state is left with them unfinished. */
const cancelGrace = 2_000;

/**
 * Runs the program and makes the stack what it says (`preview: false`), or finds out what that would change. Throws
 * with the reason when anything failed; the state then holds what was done.
 */
export async function update(options: UpdateOptions): Promise<UpdateResult> {
  if (!options.preview && options.policyPacks?.length) await foresee(options);
  const run = new UpdateRun(options);
  return run.execute();
}

/**
 * A preview ahead of an `up`, so that what policies can see is refused before anything is done. What it says is told only
 * if it fails: the run itself says it again, and knows more.
 */
async function foresee(options: UpdateOptions): Promise<void> {
  const events: EngineEvent[] = [];
  options.emit({ kind: "diagnostic", severity: "info", message: "checking policies …", ephemeral: true });
  try {
    await new UpdateRun({ ...options, preview: true, emit: (event) => events.push(event) }).execute();
  } catch (error) {
    for (const event of events) if (event.kind === "diagnostic" && !event.ephemeral) options.emit(event);
    if (!(error instanceof EngineError) || error.code !== "POLICY_VIOLATED") throw error;
    throw new EngineError("POLICY_VIOLATED", `${error.message} Nothing was changed.`, { cause: error });
  }
}

/** One run: keeps account of the requests under way, so that a failure ends it cleanly. */
class UpdateRun {
  readonly #options: UpdateOptions;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #deployment = Promise.withResolvers<Deployment>();
  /** Settles with the first failure; no request is answered after it. */
  readonly #failure = Promise.withResolvers<never>();
  readonly #errors: Error[] = [];

  constructor(options: UpdateOptions) {
    this.#options = options;
    this.#failure.promise.catch(() => {});
    this.#deployment.promise.catch(() => {});
  }

  async execute(): Promise<UpdateResult> {
    const { preview, signal } = this.#options;
    signal?.throwIfAborted();
    const session = await openSession({ ...this.#options, preview, handler: this.#handler() });
    const cancel = () => {
      this.#fail(cancelled());
      void session.providers.cancel();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      return await this.#run(session);
    } catch (error) {
      // What ended because of a cancellation is no news.
      throw session.mask.error(this.#errors.length > 1 && !signal?.aborted ? summary(this.#errors) : error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      await session.close();
    }
  }

  async #run(session: Session): Promise<UpdateResult> {
    // Two cores are busy with the secrets' key and the program's start at first; the plugins are needed later.
    session.snapshot.then(
      () => session.providers.warmUp(),
      () => {},
    );
    const { stack } = session;
    const crypter = hasSecrets(stack.settings) ? (await stack.crypters()).settings : undefined;
    // Before anything runs that could print one.
    if (crypter) session.mask.hide(secretsOf(stack.settings, crypter));
    const config = programConfig(stack.project, stack.settings, crypter);
    const policies = await this.#policies(session, config);
    const program = this.#start(session, config);
    try {
      const snapshot = await Promise.race([session.snapshot, this.#failure.promise]);
      const drift = await Promise.race([this.#underWayFor(this.#refresh(session, snapshot)), this.#failure.promise]);
      const deployment = new Deployment({
        stack: stack.name.stack,
        project: stack.name.project,
        snapshot,
        providers: session.providers,
        preview: this.#options.preview,
        parallel: session.parallel,
        emit: session.emit,
        providerConfig: (name) => providerConfig(config, name),
        now: () => new Date(),
        policies,
      });
      this.#deployment.resolve(deployment);
      const problem = await Promise.race([program.ended, this.#failure.promise]);
      if (problem !== undefined) throw new EngineError("PROGRAM_FAILED", problem);
      await Promise.race([this.#underWayFor(deployment.finish()), this.#failure.promise]);
      if (!this.#options.preview) await snapshot.save();
      await Promise.race([policies?.checkStack(snapshot.made), this.#failure.promise]);
      const root = snapshot.content.resources.find((resource) => resource.type === stackType);
      const { changes } = deployment;
      return { changes, outputs: root?.outputs ?? {}, violations: policies?.violations ?? [], drift };
    } catch (error) {
      // What the program asked for before the run could begin must not be waited for.
      if (!this.#errors.includes(error as Error)) this.#fail(error as Error);
      throw error;
    } finally {
      // After a failure the steps under way are seen to their end, and nothing is written after that.
      await this.#settle();
      await session.snapshot.then(
        (snapshot) => snapshot.seal(),
        () => {},
      );
      program.kill();
      await policies?.close();
    }
  }

  async #refresh(session: Session, snapshot: Snapshot): Promise<readonly Drift[]> {
    return this.#options.refresh ? (await refreshState(session, snapshot, this.#options)).drift : [];
  }

  /** Without packs nothing is loaded. */
  async #policies({ stack, servers, env, emit }: Session, config: ProgramConfig): Promise<PolicyGate | undefined> {
    const { policyPacks = [], preview } = this.#options;
    if (policyPacks.length === 0) return undefined;
    const { PolicyGate } = await import("./policy.ts");
    const say = (message: string) => emit({ kind: "diagnostic", severity: "info", message, ephemeral: false });
    const { engineAddress } = servers;
    const context = { project: stack.name.project, stack: stack.name.stack, preview, config, engineAddress, env, say };
    return new PolicyGate(policyPacks, context, emit);
  }

  #start(session: Session, config: ProgramConfig): Program {
    const { emit } = session;
    const { preview } = this.#options;
    return runProgram({
      project: session.stack.project,
      stack: session.stack.name.stack,
      config,
      monitorAddress: session.servers.monitorAddress,
      engineAddress: session.servers.engineAddress,
      preview,
      parallel: session.parallel,
      env: session.env,
      print: (message) => emit({ kind: "diagnostic", severity: "info", message, ephemeral: false }),
    });
  }

  #handler() {
    return {
      register: (request: Parameters<typeof readGoal>[0]) =>
        this.#answer(async () => {
          const deployment = await this.#deployment.promise;
          return deployment.register(readGoal(request, deployment));
        }, `${request.getType()} "${request.getName()}"`),
      registerOutputs: (urn: string, outputs: Properties) =>
        this.#answer(async () => (await this.#deployment.promise).registerOutputs(urn, outputs), urn),
      programDone: async () => {},
    };
  }

  /** Answers a request of the program's; the first one that fails ends the run, and no later one is answered. */
  async #answer<T>(act: () => Promise<T>, what: string): Promise<T> {
    if (this.#errors.length > 0) return this.#never();
    try {
      return await this.#underWayFor(act());
    } catch (error) {
      if (!this.#errors.includes(error as Error) && !(error instanceof NotStarted)) {
        const code = error instanceof EngineError ? error.code : "DEPLOYMENT_FAILED";
        this.#fail(new EngineError(code, `${what}: ${messageOf(error)}`, { cause: error }));
      }
      return this.#never();
    }
  }

  /** Keeps account of work for as long as it goes on. */
  #underWayFor<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  #never(): Promise<never> {
    return new Promise(() => {});
  }

  #fail(error: Error): void {
    this.#errors.push(error);
    this.#failure.reject(error);
    this.#deployment.promise.then(
      (deployment) => deployment.stop(),
      () => {},
    );
    this.#deployment.reject(error);
  }

  /** Waits for the steps under way; after a cancellation not for ever. */
  async #settle(): Promise<void> {
    const all = Promise.allSettled([...this.#underWay]);
    if (!this.#options.signal?.aborted) return void (await all);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise((resolve) => {
      timer = setTimeout(resolve, cancelGrace);
    });
    await Promise.race([all, grace]);
    clearTimeout(timer);
  }
}

/** The stack's settings for a package's default provider, such as `kubernetes:context`. */
function providerConfig({ values, secretKeys }: ProgramConfig, packageName: string): Properties {
  const prefix = `${packageName}:`;
  const entries = Object.entries(values).filter(([key]) => key.startsWith(prefix));
  const marked = (key: string, value: string): Value => (secretKeys.includes(key) ? secret(value) : value);
  return Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), marked(key, value)]));
}

function summary(errors: readonly Error[]): EngineError {
  return new EngineError("DEPLOYMENT_FAILED", errors.map((error) => error.message).join("\n"), { cause: errors[0] });
}
