import { loadConnection } from "../../kube/index.ts";
import type { CheckRequest, CheckResult, DiffRequest, DiffResult } from "../provider.ts";
import { changedKeys, containsUnknown, type Properties, unknown, withoutSecrets } from "../values.ts";

/** The settings of a `kubernetes.Provider` that are carried; the engine's own come on top. */
const carried = ["kubeconfig", "context", "cluster", "clusterIdentifier", "namespace"] as const;
const own = ["version", "__internal"];

/** The settings, secrets laid open. */
export type KubernetesConfig = Partial<Record<(typeof carried)[number], string>>;

export function configOf(inputs: Properties): KubernetesConfig {
  const entries = carried.map((key) => [key, withoutSecrets(inputs[key] ?? null)]);
  return Object.fromEntries(entries.filter(([, value]) => typeof value === "string" && value !== ""));
}

/** Refuses every setting that would be ignored. */
export function checkProviderConfig({ news }: CheckRequest): CheckResult {
  const failures = Object.entries(news)
    .filter(([key, value]) => value !== undefined && ![...carried, ...own].includes(key))
    .map(([property]) => ({
      property,
      reason: `the embedded engine does not carry this setting of a kubernetes.Provider (it knows ${carried.join(", ")})`,
    }));
  for (const key of carried) {
    const value = withoutSecrets(news[key] ?? null);
    if (value !== null && typeof value !== "string") failures.push({ property: key, reason: "must be text" });
  }
  return { inputs: news, failures };
}

/**
 * A provider is replaced, and everything on it, when it comes to speak to another cluster. `clusterIdentifier` says
 * which cluster it is; without it the server's address and CA do.
 */
export async function diffProviderConfig(request: DiffRequest, env: NodeJS.ProcessEnv): Promise<DiffResult> {
  const { oldInputs, newInputs } = request;
  const diffs = changedKeys(settings(oldInputs), settings(newInputs));
  const result = { changes: diffs.length > 0, diffs, replaces: [] as string[], deleteBeforeReplace: false };
  if (diffs.length === 0) return result;
  const [before, after] = [oldInputs.clusterIdentifier, newInputs.clusterIdentifier];
  if (before !== undefined && after !== undefined) {
    return { ...result, replaces: diffs.includes("clusterIdentifier") ? ["clusterIdentifier"] : [] };
  }
  const pointers = diffs.filter((key) => ["kubeconfig", "context", "cluster"].includes(key));
  if (pointers.some((key) => newInputs[key] === unknown || containsUnknown(newInputs[key]))) {
    return { ...result, replaces: pointers };
  }
  const [was, is] = await Promise.all([target(oldInputs, env), target(newInputs, env)]);
  return { ...result, replaces: was !== undefined && is !== undefined && was !== is ? pointers : [] };
}

/** Server and CA that a configuration leads to; undefined where it leads nowhere. */
async function target(inputs: Properties, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const config = configOf(inputs);
  if (!config.kubeconfig) return undefined;
  try {
    const { server, caPem, tlsServerName } = await loadConnection(config, env);
    return JSON.stringify([server, caPem, tlsServerName]);
  } catch {
    return undefined;
  }
}

function settings(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => !own.includes(key)));
}
