import { Deployment } from "../../engine/deployment.ts";
import type { EngineEvent } from "../../engine/events.ts";
import type { Goal } from "../../engine/goal.ts";
import { Providers } from "../../engine/providers.ts";
import { Snapshot, type SnapshotContent } from "../../engine/snapshot.ts";
import type { ResourceState } from "../../engine/state.ts";
import { makeUrn, nameOf, type Urn } from "../../engine/urn.ts";
import type { Properties } from "../../engine/values.ts";
import { type MemoryObject, MemoryProvider } from "./memoryProvider.ts";

export const thing = "mem:index:Thing";

/** What a test's program says of a resource; everything but the name has a default. */
export type Asked = Partial<Omit<Goal, "urn">> & { readonly name: string };

export type TestProgram = (up: Deployment) => Promise<unknown>;

export interface RunOptions {
  readonly preview?: boolean;
  readonly parallel?: number;
}

export function urnOf(name: string, type = thing, parent?: Urn): Urn {
  return makeUrn("dev", "test", parent, type, name);
}

/** A registration, as the program's SDK would make it. */
export function goal({ name, type = thing, parent, ...asked }: Asked): Goal {
  return {
    custom: true,
    inputs: {},
    dependencies: [],
    propertyDependencies: {},
    provider: undefined,
    version: "",
    protect: undefined,
    retainOnDelete: undefined,
    deleteBeforeReplace: undefined,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    aliases: [],
    ...asked,
    urn: urnOf(name, type, parent),
    type,
    parent,
  };
}

/** A state and the objects that it speaks of, over several runs of the engine's step logic. */
export class World {
  readonly memory = new MemoryProvider();
  saved: SnapshotContent = { resources: [], pending: [] };
  /** Every state that was written, with the objects as they then were. */
  readonly writes: { readonly state: SnapshotContent; readonly objects: Map<string, MemoryObject> }[] = [];
  events: EngineEvent[] = [];
  now = new Date("2026-01-01T00:00:00Z");

  snapshot(): Snapshot {
    return new Snapshot(structuredClone(this.saved), async (content) => {
      this.saved = structuredClone(content);
      this.writes.push({ state: this.saved, objects: new Map(this.memory.objects) });
    });
  }

  providers(snapshot: Snapshot): Providers {
    return new Providers({
      builtins: { mem: () => this.memory },
      plugins: [],
      rootDirectory: "/",
      env: {},
      engineAddress: async () => "",
      say: () => {},
      fromState: ({ urn, id }) => snapshot.provider(urn, id)?.inputs,
    });
  }

  /** One `up` (or preview) of a program. */
  async run(program: TestProgram, { preview = false, parallel = 4 }: RunOptions = {}) {
    this.events = [];
    this.memory.calls.length = 0;
    const snapshot = this.snapshot();
    const up = new Deployment({
      stack: "dev",
      project: "test",
      snapshot,
      providers: this.providers(snapshot),
      preview,
      parallel,
      emit: (event) => this.events.push(event),
      providerConfig: () => ({}),
      now: () => this.now,
    });
    await program(up);
    await up.finish();
    if (!preview) await snapshot.save();
    return up.changes;
  }

  /** A run of resources that are registered one after the other. */
  up(resources: readonly Asked[], options?: RunOptions) {
    return this.run(async (up) => {
      for (const asked of resources) await up.register(goal(asked));
    }, options);
  }

  /** The state's resources of a name, without providers. */
  resources(name?: string): ResourceState[] {
    return this.saved.resources.filter(
      ({ urn, type }) => !type.startsWith("pulumi:providers:") && (name === undefined || nameOf(urn) === name),
    );
  }

  resource(name: string): ResourceState {
    const [found, ...others] = this.resources(name);
    if (!found || others.length > 0) throw new Error(`the state holds ${others.length + (found ? 1 : 0)} of ${name}`);
    return found;
  }

  /** The steps that were done, as `operation NAME`, confirmations and providers left out. */
  get steps(): string[] {
    return this.events.flatMap((event) =>
      event.kind === "step" && event.state === "done" && event.operation !== "same" && !event.urn.includes("providers:")
        ? [`${event.operation} ${nameOf(event.urn)}`]
        : [],
    );
  }
}

/** What depends on another resource through one of its inputs. */
export function uses(on: string, key = "on"): Pick<Goal, "dependencies" | "propertyDependencies"> {
  return { dependencies: [urnOf(on)], propertyDependencies: { [key]: [urnOf(on)] } };
}

export type { Properties };
