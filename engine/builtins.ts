import { KubernetesProvider } from "./kubernetes/provider.ts";
import type { Provider } from "./provider.ts";
import { TlsProvider } from "./tls/provider.ts";

/** The providers that live in the engine's own process, by package. */
export function builtinProviders(env: NodeJS.ProcessEnv): Record<string, () => Provider> {
  return { kubernetes: () => new KubernetesProvider(env), tls: () => new TlsProvider() };
}
