import { afterEach } from "vitest";
import { goodKey, type SigningKey } from "./tokens.ts";
import { type ApiServer, apiServer, apiSettings, Folder, type Verifier, verifier } from "./verifier.ts";

/** Resources that end with the test, the last first. */
export const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A hybrid verifier with its API server; both end with the test. */
export async function hybrid(
  more: object = {},
  keys: readonly SigningKey[] = [goodKey],
): Promise<{ api: ApiServer; one: Verifier }> {
  const folder = new Folder();
  open.push({ [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() });
  const api = await apiServer(keys);
  open.push(api);
  const one = await verifier(apiSettings(api, folder, more));
  open.push(one);
  return { api, one };
}
