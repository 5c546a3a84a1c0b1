/**
 * Moving a stack as one document, in the form of `pulumi stack export` and `import`:
 * `{"version": 3, "deployment": {…}}`. Secrets stay encrypted as they are unless plaintext is asked for.
 */
import { rm } from "node:fs/promises";
import { type Checkpoint, corrupt, readCheckpoint } from "./checkpoint.ts";
import { EngineError } from "./errors.ts";
import type { EventSink } from "./events.ts";
import { lockStack } from "./lock.ts";
import { missingStack } from "./outputs.ts";
import { engineVersion, locateStack, openCrypters, openStack, type StackOptions } from "./session.ts";
import { StackSettings } from "./settings.ts";
import {
  type Deployment,
  decryptSecrets,
  dependenciesOf,
  encryptSecrets,
  manifest,
  type ResourceState,
  revealSecrets,
} from "./state.ts";
import { parseUrn, stackType, type Urn } from "./urn.ts";
import { isObject, secretSignature, signatureKey, type Value } from "./values.ts";

/** A stack's state as a document of its own. */
export interface ExportedStack {
  readonly version: number;
  readonly features?: readonly string[];
  readonly deployment: Deployment;
}

export interface ExportOptions extends StackOptions {
  /** Whether secrets stand in the document in plaintext, for a target with other keys. @default false */
  readonly showSecrets?: boolean;
}

/** The state as last saved. Throws `STACK_MISSING`; needs the passphrase with `showSecrets` alone. */
export async function exportStack(options: ExportOptions): Promise<ExportedStack> {
  const stack = await openStack(options);
  const { checkpoint } = stack;
  if (!checkpoint) throw await missingStack(stack);
  const unfinished = checkpoint.deployment.pending_operations?.length ?? 0;
  if (unfinished > 0) {
    warn(
      options.emit,
      `${count(unfinished, "operation")} of an interrupted run may or may not have happened. Run up first: ` +
        "the Pulumi CLI forgets them on import, and what they made would be nobody's.",
    );
  }
  if (!options.showSecrets) return checkpoint;
  return { ...checkpoint, deployment: revealSecrets(checkpoint.deployment, (await stack.crypters()).state) };
}

/** What an import put in place. */
export interface Imported {
  /** How many resources the stack has now. */
  readonly resources: number;
  /** Where the state before is kept; undefined for a stack that had none. */
  readonly backup?: string;
}

/**
 * Makes an exported document the state of a stack, in place of what it has. The secrets are encrypted anew with the key of
 * the stack's settings, which get the document's salt where they have none. Everything is checked before anything is
 * written. Throws `STATE_CORRUPT`, `STATE_FOREIGN`, `SECRETS_PROVIDER_UNSUPPORTED`, `PASSPHRASE_WRONG`, `STACK_LOCKED`.
 */
export async function importStack(options: StackOptions, document: Value): Promise<Imported> {
  const { emit } = options;
  const { name, backend } = await locateStack(options);
  const lock = await lockStack(backend.lockFolder(name), (message) => warn(emit, message));
  try {
    const { settings, project } = await openStack(options).catch((error: unknown) => {
      // A broken state is what an import may repair.
      if (error instanceof EngineError && error.code === "STATE_CORRUPT") return openSettings(options);
      throw error;
    });
    const imported = readExport(document, { project: project.name, stack: name.stack });
    const crypters = await openCrypters(options.env, settings, imported);
    const { resources = [], pending_operations: pending = [] } = decryptSecrets(imported.deployment, crypters.state);
    if (pending.length > 0) {
      warn(emit, `${count(pending.length, "operation")} of an interrupted run came along; the next up settles them.`);
    }
    const key = crypters.settings;
    const deployment: Deployment = {
      ...imported.deployment,
      secrets_providers: { type: "passphrase", state: { salt: key.salt } },
      resources: encryptSecrets(resources, key),
      pending_operations: pending.length > 0 ? encryptSecrets(pending, key) : undefined,
      metadata: imported.deployment.metadata ?? {},
      manifest: manifest(engineVersion, new Date()),
    };
    const backup = await backend.backUp(name);
    if (settings.salt === undefined) {
      settings.salt = key.salt;
      await settings.save();
    }
    await backend.save(name, { ...imported, deployment });
    return { resources: resources.length, ...(backup && { backup }) };
  } finally {
    await lock.release();
  }
}

/** A stack of a project, without its outputs. */
export interface StackSummary {
  readonly name: string;
  readonly resources: number;
  /** When its state was last written, ISO 8601. */
  readonly lastUpdate?: string;
}

/** The project's stacks by name. Throws for a state that can't be read. */
export async function listStacks(options: Omit<StackOptions, "stack">): Promise<StackSummary[]> {
  const { project, backend } = await locateStack({ ...options, stack: "-" });
  const names = await backend.list(project.name);
  return Promise.all(
    names.map(async (name) => {
      const { resources = [], manifest: written } =
        (await backend.load({ project: project.name, stack: name }))?.deployment ?? {};
      return { name, resources: resources.length, ...(written && { lastUpdate: written.time }) };
    }),
  );
}

export interface RemoveOptions extends StackOptions {
  /** Forgets resources that the stack still has; they stay in the cluster, and nobody's. @default false */
  readonly force?: boolean;
  /** Keeps the settings file. @default false */
  readonly preserveConfig?: boolean;
}

/** Forgets a stack; a copy of its state stays among the backups. Throws `STACK_MISSING`, `STACK_NOT_EMPTY`, `STACK_LOCKED`. */
export async function removeStack(options: RemoveOptions): Promise<void> {
  const { name, backend } = await locateStack(options);
  const lock = await lockStack(backend.lockFolder(name), (message) => warn(options.emit, message));
  try {
    const stack = await openStack(options);
    const { checkpoint } = stack;
    if (!checkpoint) throw await missingStack(stack);
    const { resources = [], pending_operations: pending = [] } = checkpoint.deployment;
    const left = resources.filter((resource) => resource.type !== stackType).length + pending.length;
    if (left > 0 && !options.force) {
      throw new EngineError(
        "STACK_NOT_EMPTY",
        `The stack "${name.stack}" still has ${count(left, "resource")}. Run destroy first, or remove it with --force: ` +
          "its credentials then stay valid, and nobody's.",
      );
    }
    await backend.backUp(name);
    await backend.remove(name);
    if (!options.preserveConfig) await rm(stack.settings.file, { force: true });
  } finally {
    await lock.release();
  }
}

/** Checks a document before anything of it is used. */
function readExport(document: Value, expected: { readonly project: string; readonly stack: string }): Checkpoint {
  const source = "The document";
  if (!isObject(document) || !("deployment" in document)) throw corrupt(source, 'it has no "deployment"');
  const checkpoint = readCheckpoint(document, document.deployment ?? {}, source);
  const { deployment } = checkpoint;
  const resources = deployment.resources ?? [];
  for (const { urn } of [...resources, ...(deployment.pending_operations ?? []).map(({ resource }) => resource)]) {
    const { project, stack } = parseUrn(urn);
    if (project === expected.project && stack === expected.stack) continue;
    throw new EngineError(
      "STATE_FOREIGN",
      `${urn} belongs to the stack "${stack}" of the project ${project}, not to "${expected.stack}" of ${expected.project}. ` +
        `Import it with --stack ${stack} in that project, or rename it there first (\`pulumi stack rename\`).`,
    );
  }
  checkOrder(resources);
  return withReadableSecrets(checkpoint);
}

/** As Pulumi's engine demands it: whatever a resource refers to stands before it, and only one of a name is alive. */
function checkOrder(resources: readonly ResourceState[]): void {
  const seen = new Set<Urn>();
  for (const resource of resources) {
    const { urn } = resource;
    if (seen.has(urn) && !resource.delete) throw corrupt("The document", `${urn} is in it twice`);
    for (const other of dependenciesOf(resource)) {
      if (!seen.has(other)) throw corrupt("The document", `${urn} refers to ${other}, which does not stand before it`);
    }
    seen.add(urn);
  }
}

/** Plaintext needs no provider, whatever its source had; ciphertexts have to be of a passphrase. */
function withReadableSecrets(checkpoint: Checkpoint): Checkpoint {
  const { deployment } = checkpoint;
  const provider = deployment.secrets_providers;
  if (!hasCiphertext(deployment as Value)) {
    const { secrets_providers: _provider, ...rest } = deployment;
    return { ...checkpoint, deployment: rest };
  }
  if (provider?.type === "passphrase") return checkpoint;
  throw new EngineError(
    "SECRETS_PROVIDER_UNSUPPORTED",
    `The document's secrets are encrypted by "${provider?.type ?? "nothing that it names"}"; the embedded engine knows passphrases ` +
      "alone. Where it comes from, run `pulumi stack change-secrets-provider passphrase` and export it again, or export it " +
      "with --show-secrets.",
  );
}

function hasCiphertext(value: Value | undefined): boolean {
  if (Array.isArray(value)) return value.some(hasCiphertext);
  if (!isObject(value)) return false;
  if (value[signatureKey] === secretSignature && typeof value.ciphertext === "string") return true;
  return Object.values(value).some(hasCiphertext);
}

async function openSettings(options: StackOptions) {
  const { project, settingsFile } = await locateStack(options);
  return { project, settings: await StackSettings.load(settingsFile) };
}

function warn(emit: EventSink, message: string): void {
  emit({ kind: "diagnostic", severity: "warning", message, ephemeral: false });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
