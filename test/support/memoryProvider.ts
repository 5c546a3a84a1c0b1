import { randomBytes } from "node:crypto";
import {
  type CheckRequest,
  type CheckResult,
  type Created,
  type CreateRequest,
  type DeleteRequest,
  type DiffRequest,
  type DiffResult,
  type Found,
  noDiff,
  type Provider,
  type ReadRequest,
  type ReadResult,
  type UpdateRequest,
} from "../../engine/provider.ts";
import { nameOf, type Urn } from "../../engine/urn.ts";
import { changedKeys, containsUnknown, type Properties, unknown, withoutSecrets } from "../../engine/values.ts";

/** An object of the memory provider: what was asked for, and a number that tells it from others of its name. */
export interface MemoryObject {
  readonly inputs: Properties;
  readonly serial: number;
}

/**
 * A provider whose world is a map in memory, for the logic of steps. Like Kubernetes it makes up names (`LOGICAL-8hex`)
 * where none is given and refuses a name that is taken; a change of `name` or `kind` replaces.
 */
export class MemoryProvider implements Provider {
  readonly supportsPreview = true;
  objects = new Map<string, MemoryObject>();
  /** What was asked that changes something, as `create a-1`, in order of its beginning. */
  readonly calls: string[] = [];
  /** Called in the middle of each such call; what it throws is thrown. */
  during: (call: string, urn: Urn) => Promise<void> | void = () => {};
  /** Called after the change was made, before it is answered. */
  after: (call: string, urn: Urn, made: Created) => void = () => {};
  #serial = 0;

  async checkConfig({ news }: CheckRequest): Promise<CheckResult> {
    return { inputs: news, failures: [] };
  }

  async diffConfig({ oldInputs, newInputs }: DiffRequest): Promise<DiffResult> {
    const diffs = changedKeys(oldInputs, newInputs).filter((key) => key !== "version");
    return { ...noDiff, changes: diffs.length > 0, diffs, replaces: diffs.filter((key) => key === "world") };
  }

  async configure(): Promise<void> {}

  async check({ urn, olds, news }: CheckRequest): Promise<CheckResult> {
    if (news.bad !== undefined) return { inputs: news, failures: [{ property: "bad", reason: "is not allowed" }] };
    if (news.name !== undefined) return { inputs: news, failures: [] };
    const name = olds?.madeUp === true ? olds.name : `${nameOf(urn)}-${randomBytes(4).toString("hex")}`;
    return { inputs: { ...news, name, madeUp: true }, failures: [] };
  }

  async diff({ id, oldInputs, newInputs }: DiffRequest): Promise<DiffResult> {
    const diffs = changedKeys(oldInputs, newInputs);
    const replaces = diffs.filter((key) => key === "name" || key === "kind" || key === "madeUp");
    const keepsName = newInputs.madeUp !== true && newInputs.name === id;
    return { changes: diffs.length > 0, diffs, replaces, deleteBeforeReplace: replaces.length > 0 && keepsName };
  }

  async create({ urn, inputs, preview }: CreateRequest): Promise<Created> {
    if (preview) return { id: "", outputs: { ...inputs, serial: unknown } };
    if (containsUnknown(inputs)) throw new Error("created with an unknown value");
    const id = String(withoutSecrets(inputs.name ?? null));
    await this.#begin(`create ${id}`, urn);
    if (this.objects.has(id)) throw new Error(`${id} is taken`);
    const object = { inputs, serial: ++this.#serial };
    this.objects.set(id, object);
    const created = { id, outputs: { ...inputs, serial: object.serial } };
    this.after(`create ${id}`, urn, created);
    return created;
  }

  async find(_urn: Urn, inputs: Properties, current?: Properties): Promise<Found | undefined> {
    const id = String(inputs.name);
    const found = this.objects.get(id);
    if (!found) return undefined;
    const superseded = current !== undefined && found.serial <= Number(current.serial);
    return { id, outputs: { ...found.inputs, serial: found.serial }, superseded };
  }

  async update({ urn, id, newInputs, oldOutputs, preview }: UpdateRequest): Promise<Properties> {
    const outputs = { ...newInputs, serial: oldOutputs.serial };
    if (preview) return outputs;
    await this.#begin(`update ${id}`, urn);
    const object = this.objects.get(id);
    if (!object) throw new Error(`${id} is gone`);
    this.objects.set(id, { ...object, inputs: newInputs });
    this.after(`update ${id}`, urn, { id, outputs });
    return outputs;
  }

  async read({ id }: ReadRequest): Promise<ReadResult | undefined> {
    await this.during(`read ${id}`, "");
    const object = this.objects.get(id);
    return object && { inputs: object.inputs, outputs: { ...object.inputs, serial: object.serial } };
  }

  async delete({ urn, id }: DeleteRequest): Promise<void> {
    await this.#begin(`delete ${id}`, urn);
    this.objects.delete(id);
    this.after(`delete ${id}`, urn, { id, outputs: {} });
  }

  async cancel(): Promise<void> {}

  async close(): Promise<void> {}

  async #begin(call: string, urn: Urn): Promise<void> {
    this.calls.push(call);
    await this.during(call, urn);
  }
}
