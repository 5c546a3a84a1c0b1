import { EngineError } from "./errors.ts";
import type { EventSink } from "./events.ts";
import type { Goal } from "./goal.ts";
import type { PolicySubject } from "./policyMessages.ts";
import { type PolicyContext, PolicyPack, type PolicyPackOptions, type PolicyViolation } from "./policyPack.ts";
import type { Provider } from "./provider.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ResourceState } from "./state.ts";
import { makeUrn, nameOf, parseProviderRef, stackType, typeOf } from "./urn.ts";
import type { Properties } from "./values.ts";

/** What finds out what a resource needs. */
type Planner = Pick<Provider, "check" | "diff">;

/**
 * Asks the policy packs about everything that a run is about to do. As with Pulumi, an `up` ends at the first resource
 * that violates a mandatory policy, before anything is done with it; a preview goes on to show all of them, and fails in
 * the end. Advisory ones are warnings.
 */
export class PolicyGate {
  readonly #packs: Promise<readonly PolicyPack[]>;
  readonly #context: PolicyContext;
  readonly #emit: EventSink;
  readonly #violations: PolicyViolation[] = [];
  readonly #ended = new AbortController();
  /** Questions of a preview that are not answered yet. */
  readonly #open: Promise<unknown>[] = [];

  /** Starts the packs; the first question waits for them. */
  constructor(packs: readonly PolicyPackOptions[], context: PolicyContext, emit: EventSink) {
    this.#context = context;
    this.#emit = emit;
    this.#packs = startAll(packs, { ...context, signal: this.#ended.signal });
    // Awaited where it is needed; until then a failure is nobody's.
    this.#packs.catch(() => {});
  }

  /** What was found so far. */
  get violations(): readonly PolicyViolation[] {
    return this.#violations;
  }

  /**
   * Asks about one resource. In an `up`, throws `POLICY_VIOLATED` for what a mandatory policy refuses. A preview does not
   * wait: it goes on whatever the answer is.
   */
  async check(goal: Goal, inputs: Properties, provider?: ResourceState): Promise<void> {
    const subject: PolicySubject = {
      urn: goal.urn,
      type: goal.type,
      properties: inputs,
      parent: goal.parent,
      protect: goal.protect ?? false,
      ignoreChanges: goal.ignoreChanges,
      deleteBeforeReplace: goal.deleteBeforeReplace,
      additionalSecretOutputs: goal.additionalSecretOutputs,
      aliases: goal.aliases,
      provider: providerSubject(provider),
    };
    const asking = this.#ask((pack) => pack.analyze(subject));
    if (!this.#context.preview) return this.#refuse(await asking);
    asking.catch(() => {});
    this.#open.push(asking);
  }

  /** The check and diff of a provider, with a question in between: about the inputs as the provider first settles them. */
  guard(goal: Goal, provider: Planner, snapshot?: Snapshot): Planner {
    const by = goal.provider === undefined ? undefined : parseProviderRef(goal.provider).urn;
    let asked = false;
    return {
      check: async (request) => {
        const result = await provider.check(request);
        if (asked || result.failures.length > 0) return result;
        asked = true;
        await this.check(
          goal,
          result.inputs,
          by === undefined ? undefined : (snapshot?.current(by) ?? snapshot?.old(by)),
        );
        return result;
      },
      diff: (request) => provider.diff(request),
    };
  }

  /** Asks about the stack as a whole, after everything else. Throws `POLICY_VIOLATED` for all that was found in the run. */
  async checkStack(resources: readonly ResourceState[]): Promise<void> {
    const providers = new Map(resources.map((resource) => [`${resource.urn}::${resource.id}`, resource]));
    const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
    const subjects = resources.map((resource) => ({
      urn: resource.urn,
      type: resource.type,
      properties: resource.outputs ?? {},
      parent: resource.parent,
      protect: resource.protect ?? false,
      ignoreChanges: [],
      deleteBeforeReplace: undefined,
      additionalSecretOutputs: resource.additionalSecretOutputs ?? [],
      aliases: [],
      provider: providerSubject(
        // In previews the ids of new providers are not known.
        providers.get(resource.provider ?? "") ?? byUrn.get(resource.provider?.replace(/::[^:]*$/, "") ?? ""),
      ),
      dependencies: resource.dependencies ?? [],
      propertyDependencies: resource.propertyDependencies ?? {},
    }));
    const { stack, project } = this.#context;
    const root = makeUrn(stack, project, undefined, stackType, `${project}-${stack}`);
    await Promise.all(this.#open);
    await this.#ask((pack) => pack.analyzeStack(subjects, root));
    this.#refuse(this.#violations);
  }

  async close(): Promise<void> {
    // One that has not started by now is of no use any more.
    this.#ended.abort();
    const packs = await this.#packs.catch(() => []);
    await Promise.all(packs.map((pack) => pack.close()));
  }

  async #ask(question: (pack: PolicyPack) => Promise<PolicyViolation[]>): Promise<PolicyViolation[]> {
    const found = (await Promise.all((await this.#packs).map(question))).flat();
    for (const violation of found) {
      this.#violations.push(violation);
      const severity = violation.level === "mandatory" ? "error" : "warning";
      this.#emit({
        kind: "diagnostic",
        severity,
        message: describe(violation),
        urn: violation.urn,
        ephemeral: false,
        violation,
      });
    }
    return found;
  }

  #refuse(found: readonly PolicyViolation[]): void {
    const mandatory = found.filter(({ level }) => level === "mandatory");
    if (mandatory.length === 0) return;
    const list = [...new Set(mandatory.map(({ policy, urn }) => `${policy} (${nameOf(urn)})`))];
    throw new EngineError(
      "POLICY_VIOLATED",
      `Mandatory policies are violated: ${list.join(", ")}. Each is told above with what to do.`,
    );
  }
}

async function startAll(packs: readonly PolicyPackOptions[], context: PolicyContext): Promise<PolicyPack[]> {
  const started = await Promise.allSettled(packs.map((pack) => PolicyPack.start(pack, context)));
  const running = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = started.find((result) => result.status === "rejected");
  if (!failed) return running;
  await Promise.all(running.map((pack) => pack.close()));
  throw failed.reason;
}

function providerSubject(provider: ResourceState | undefined): PolicySubject["provider"] {
  return provider && { urn: provider.urn, type: provider.type, properties: provider.inputs ?? {} };
}

function describe({ policy, pack, version, severity, urn, message }: PolicyViolation): string {
  const of = [`${pack} ${version}`, severity].filter((text) => text !== "").join(", ");
  return `policy ${policy} (${of}): ${typeOf(urn)} ${nameOf(urn)}: ${message.replaceAll("\n", " ")}`;
}
