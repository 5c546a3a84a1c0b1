import { X509Certificate } from "node:crypto";
import { isProviderError } from "../errors.ts";
import { type CheckFailure, type Fields, same } from "../fields.ts";
import type { Changes, Context } from "../resource.ts";
import { AkeylessApi, publicApi } from "./api.ts";
import { pemBlocks } from "./material.ts";
import { isUnanswered } from "./transport.ts";

/** Where the objects of an account are managed. */
export interface ApiInputs {
  readonly apiUrl: string;
  readonly caPem?: string;
}

export const apiFields: Fields = {
  apiUrl: {
    type: "string",
    default: publicApi,
    description: "Base URL of the REST API: the service's own, or a gateway's (https://GATEWAY:8000/api/v2).",
  },
  caPem: { type: "string", description: "CA certificates of that server, PEM; by default the public ones." },
};

/** Outputs that tell `delete` and `read` where to look, whichever engine asks. */
export function apiOutputs({ apiUrl = publicApi, caPem = "" }: Partial<ApiInputs>) {
  return { apiUrl, caPem };
}

/** The output by which `read` tells `diff` what somebody else has changed. */
export const driftField = {
  drift: { type: "strings", description: "What was found changed by somebody else at the last refresh." },
} as const satisfies Fields;

export function apiFor({ apiUrl, caPem }: Partial<ApiInputs>, context: Context): AkeylessApi {
  return new AkeylessApi({ url: apiUrl ?? publicApi, caPem }, context, { timeoutMs: context.timeoutMs });
}

/** What is wrong with a base URL or its CA. */
export function checkEndpoint(property: string, url: string | undefined, caPem: string | undefined): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : undefined;
  if (url !== undefined && (parsed?.protocol !== "https:" || parsed.username || parsed.search || parsed.hash)) {
    const reason = `"${property}" must be an https URL without credentials, query and fragment, such as https://gateway.example.com:8000/api/v2: credentials travel to it.`;
    failures.push({ property, reason });
  }
  if (caPem && !isBundle(caPem)) {
    failures.push({
      property: "caPem",
      reason: '"caPem" must hold CA certificates, PEM (-----BEGIN CERTIFICATE-----).',
    });
  }
  return failures;
}

function isBundle(pem: string): boolean {
  const blocks = pemBlocks(pem);
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block).subject !== null);
  } catch {
    return false;
  }
}

/** A name or path at Akeyless, as far as it is sure to be refused. */
export function checkName(property: string, name: string | undefined): CheckFailure[] {
  return name !== undefined && name.trim() === "" ? [{ property, reason: `"${property}" is empty.` }] : [];
}

/** Every property of which the new inputs are not known or differ from the old ones. */
export function changed(
  names: readonly string[],
  old: object,
  known: object,
  unknown: ReadonlySet<string>,
  kind: "update" | "replace" = "update",
): Changes {
  const before = old as Record<string, unknown>;
  const after = known as Record<string, unknown>;
  return Object.fromEntries(
    names.filter((name) => unknown.has(name) || !same(before[name], after[name])).map((name) => [name, kind]),
  );
}

/**
 * Looks at the product for a refresh. Where it cannot be asked, that is a warning, and nothing is known to have changed;
 * that the caller may not ask is an error.
 */
export async function glance<T>(what: string, context: Context, look: () => Promise<T>): Promise<T | "unseen"> {
  try {
    return await look();
  } catch (error) {
    if (!isUnanswered(error) && !isProviderError(error, "AKEYLESS_BUSY", "AKEYLESS_FAILED")) throw error;
    context.log.warn(`${what} was not looked at. ${(error as Error).message}`);
    return "unseen";
  }
}
