import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type FileBackend, openBackend, type StackName } from "./backend.ts";
import { builtinProviders } from "./builtins.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { EngineError } from "./errors.ts";
import type { EventSink } from "./events.ts";
import { type Lock, lockStack } from "./lock.ts";
import { Mask } from "./mask.ts";
import { type MonitorHandler, type Servers, startServers } from "./monitor.ts";
import { loadProject, type Project } from "./project.ts";
import { Providers } from "./providers.ts";
import { type Crypter, createCrypter, openCrypter } from "./secrets.ts";
import { hasSecrets, StackSettings, secretsOf } from "./settings.ts";
import { Snapshot } from "./snapshot.ts";
import { type Deployment, decryptSecrets, encryptSecrets, manifest } from "./state.ts";
import { cacheFolder, passphraseFor, stateFolder } from "./workspace.ts";

/** Written into the manifest of every state that this engine saves. */
export const engineVersion = "0.1.0";

export interface StackOptions {
  /** A folder at or below the one of Pulumi.yaml. */
  readonly folder: string;
  readonly stack: string;
  readonly env: NodeJS.ProcessEnv;
  readonly emit: EventSink;
  /** The stack's settings file; default `Pulumi.STACK.yaml` beside Pulumi.yaml. */
  readonly configFile?: string;
  /** How many resources are worked on at once; default, as Pulumi's, four for each core. */
  readonly parallel?: number;
  /** Aborting ends the operation as soon as the steps under way allow, with the state saved. */
  readonly signal?: AbortSignal;
}

/** The stack's files and keys, opened but not locked. */
export interface OpenStack {
  readonly name: StackName;
  readonly project: Project;
  readonly settings: StackSettings;
  readonly backend: FileBackend;
  readonly checkpoint: Checkpoint | undefined;
  /** The keys of the state and of the settings file; the second encrypts. Derived once, on first use. */
  crypters(): Promise<{ readonly state: Crypter | undefined; readonly settings: Crypter }>;
}

/** Opens a stack. Throws for a project, settings or state that can't be read; a stack never saved has no checkpoint. */
export async function openStack(options: StackOptions): Promise<OpenStack> {
  return readStack(options.env, await locateStack(options));
}

/** Where a stack is, without a look at it. */
export async function locateStack({ folder, stack, env, configFile }: Omit<StackOptions, "emit">) {
  const project = await loadProject(folder);
  return {
    name: { project: project.name, stack },
    project,
    backend: openBackend(env, () => stateFolder(env)),
    settingsFile: configFile ?? join(project.root, `Pulumi.${stack}.yaml`),
  };
}

async function readStack(env: NodeJS.ProcessEnv, place: Awaited<ReturnType<typeof locateStack>>): Promise<OpenStack> {
  const { name, project, backend, settingsFile } = place;
  const [settings, checkpoint] = await Promise.all([StackSettings.load(settingsFile), backend.load(name)]);
  let opening: ReturnType<typeof openCrypters> | undefined;
  const crypters = () => {
    opening ??= openCrypters(env, settings, checkpoint);
    return opening;
  };
  return { name, project, settings, backend, checkpoint, crypters };
}

/** The keys of a state and of the settings file. */
export async function openCrypters(
  env: NodeJS.ProcessEnv,
  settings: StackSettings,
  checkpoint: Checkpoint | undefined,
) {
  const secretsProvider = checkpoint?.deployment.secrets_providers;
  if (secretsProvider && secretsProvider.type !== "passphrase" && secretsProvider.type !== "") {
    throw new EngineError(
      "SECRETS_PROVIDER_UNSUPPORTED",
      `The state is encrypted by "${secretsProvider.type}"; the embedded engine knows passphrases alone. Use the Pulumi CLI.`,
    );
  }
  const passphrase = await passphraseFor(env);
  const stateSalt = secretsProvider?.state?.salt;
  const salt = settings.salt ?? stateSalt;
  const [fromSettings, fromState] = await Promise.all([
    salt === undefined ? createCrypter(passphrase) : openCrypter(passphrase, salt),
    stateSalt === undefined || stateSalt === salt ? undefined : openCrypter(passphrase, stateSalt),
  ]);
  return { settings: fromSettings, state: fromState ?? (stateSalt === undefined ? undefined : fromSettings) };
}

/** What an operation on a stack works with; `close` ends and unlocks everything. */
export interface Session {
  readonly stack: OpenStack;
  readonly servers: Servers;
  readonly providers: Providers;
  readonly parallel: number;
  /** For child processes: the environment with a compile cache for Node.js, which saves a third of their start. */
  readonly env: NodeJS.ProcessEnv;
  /** The state, decrypted; resolves while other things start. */
  readonly snapshot: Promise<Snapshot>;
  /** Where everything goes that the run says; secret settings are hidden in it once they are decrypted. */
  readonly emit: EventSink;
  readonly mask: Mask;
  close(): Promise<void>;
}

export interface SessionOptions extends StackOptions {
  /** A preview neither locks nor writes. */
  readonly preview: boolean;
  readonly handler: MonitorHandler;
}

export async function openSession(options: SessionOptions): Promise<Session> {
  const { preview } = options;
  const mask = new Mask();
  const emit = mask.before(options.emit);
  const place = await locateStack(options);
  const starting = startServers(options.handler, emit);
  let lock: Lock | undefined;
  let providers: Providers | undefined;
  const close = async () => {
    await providers?.close();
    (await starting.catch(() => undefined))?.close();
    await lock?.release();
  };
  try {
    const notice = (message: string) => emit({ kind: "diagnostic", severity: "warning", message, ephemeral: false });
    if (!preview) lock = await lockStack(place.backend.lockFolder(place.name), notice);
    const stack = await readStack(options.env, place);
    const servers = await starting;
    const snapshot = openSnapshot(stack, preview, mask);
    snapshot.catch(() => {}); // Awaited where it is needed; until then a failure is nobody's.
    let resolved: Snapshot | undefined;
    const env = { NODE_COMPILE_CACHE: join(cacheFolder(options.env), "compile"), ...options.env };
    providers = new Providers({
      builtins: builtinProviders(env),
      plugins: stack.project.plugins,
      rootDirectory: stack.project.root,
      env,
      engineAddress: async () => servers.engineAddress,
      say: (message) => emit({ kind: "diagnostic", severity: "info", message, ephemeral: false }),
      fromState: ({ urn, id }) => {
        const provider = resolved?.provider(urn, id);
        // A state has no inputs where there are none to keep.
        return provider && (provider.inputs ?? {});
      },
    });
    snapshot.then(
      (value) => {
        resolved = value;
      },
      () => {},
    );
    const parallel = options.parallel ?? 4 * availableParallelism();
    return { stack, servers, providers, parallel, env, snapshot, emit, mask, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSnapshot(stack: OpenStack, preview: boolean, mask: Mask): Promise<Snapshot> {
  const { checkpoint, backend, name, settings } = stack;
  const crypters = await stack.crypters();
  if (hasSecrets(settings)) mask.hide(secretsOf(settings, crypters.settings));
  const deployment = decryptSecrets(checkpoint?.deployment ?? {}, crypters.state);
  const content = { resources: deployment.resources ?? [], pending: deployment.pending_operations ?? [] };
  let written: string | undefined;
  return new Snapshot(content, async ({ resources, pending }) => {
    if (preview) return;
    if (settings.salt === undefined) {
      settings.salt = crypters.settings.salt;
      await settings.save();
    }
    const latest: Deployment = {
      ...checkpoint?.deployment,
      secrets_providers: { type: "passphrase", state: { salt: crypters.settings.salt } },
      resources: encryptSecrets(resources, crypters.settings),
      pending_operations: pending.length > 0 ? encryptSecrets(pending, crypters.settings) : undefined,
      metadata: checkpoint?.deployment.metadata ?? {},
    };
    const body = JSON.stringify({ ...latest, manifest: undefined });
    if (body === written) return;
    const next = { ...latest, manifest: manifest(engineVersion, new Date()) };
    await backend.save(name, { version: 3, ...checkpoint, deployment: next });
    written = body;
  });
}
