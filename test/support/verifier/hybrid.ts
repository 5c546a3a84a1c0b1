import { onTestFinished } from "vitest";
import { goodKey, type SigningKey } from "./tokens.ts";
import { type ApiServer, apiServer, apiSettings, Folder, type Verifier, verifier } from "./verifier.ts";

/** Disposes of something after the test, the last first. */
export function endsWithTest(one: AsyncDisposable | Disposable): void {
  onTestFinished(async () => {
    if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
    else one[Symbol.dispose]();
  });
}

/** A hybrid verifier with its API server; both end with the test. */
export async function hybrid(
  more: object = {},
  keys: readonly SigningKey[] = [goodKey],
): Promise<{ api: ApiServer; one: Verifier }> {
  const folder = new Folder();
  endsWithTest(folder);
  const api = await apiServer(keys);
  endsWithTest(api);
  const one = await verifier(apiSettings(api, folder, more));
  endsWithTest(one);
  return { api, one };
}
