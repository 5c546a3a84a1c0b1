import { KubernetesProvider } from "./kubernetes/provider.ts";
import type { Provider } from "./provider.ts";

/** The providers that live in the engine's own process, by package. */
export function builtinProviders(env: NodeJS.ProcessEnv): Record<string, () => Provider> {
  return { kubernetes: () => new KubernetesProvider(env) };
}
