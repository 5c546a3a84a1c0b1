import { isCertificate, pemBlocks } from "../../../kubernetes/pem.ts";
import type { CheckFailure, Fields } from "../../protocol/fields.ts";
import type { Context } from "../../protocol/resource.ts";
import { AkeylessApi, publicApi } from "./api.ts";

/** Where the objects of an account are managed. */
export interface ApiInputs {
  readonly apiUrl: string;
  /** CA certificates of that server, PEM; "" or undefined for public CAs. */
  readonly caPem?: string;
}

export const apiFields: Fields = {
  apiUrl: { type: "string", default: publicApi },
  caPem: { type: "string" },
};

/** Outputs that record the API that has the object, for `delete` and `read`. */
export function apiOutputs({ apiUrl = publicApi, caPem = "" }: Partial<ApiInputs>) {
  return { apiUrl, caPem };
}

/** The part of an object's state that every type has. */
export interface ObjectState {
  readonly inputs: Partial<ApiInputs>;
  readonly outputs: Partial<ApiInputs> & { readonly drift?: readonly string[] };
}

/** Base URL and CA of the API that has an object, by its state. The CA comes from the inputs, since it may have changed. */
export function storedEndpoint({ inputs, outputs }: ObjectState): Partial<ApiInputs> {
  return { apiUrl: outputs.apiUrl ?? inputs.apiUrl, caPem: inputs.caPem ?? outputs.caPem };
}

/** The API that has an object, by its state. */
export function storedApi(state: ObjectState, context: Context): AkeylessApi {
  return apiFor(storedEndpoint(state), context);
}

export function apiFor({ apiUrl, caPem }: Partial<ApiInputs>, context: Context): AkeylessApi {
  return new AkeylessApi({ url: apiUrl ?? publicApi, caPem }, context, { timeoutMs: context.timeoutMs });
}

/** A path with its leading slash. Akeyless accepts paths with and without it, and returns them without it. */
export function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Whether two names are the same path of Akeyless. */
export function samePath(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && right !== undefined && absolute(left) === absolute(right);
}

/** Checks a base URL and its CA. */
export function checkEndpoint(property: string, url: string | undefined, caPem: string | undefined): CheckFailure[] {
  const failures: CheckFailure[] = [];
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : undefined;
  if (url !== undefined && (parsed?.protocol !== "https:" || parsed.username || parsed.search || parsed.hash)) {
    const reason = `"${property}" must be an https URL without credentials, query and fragment, such as https://gateway.example.com:8000/api/v2. Credentials are sent to it.`;
    failures.push({ property, reason });
  }
  if (caPem && !isCertificateBundle(caPem)) {
    failures.push({
      property: "caPem",
      reason: '"caPem" must hold CA certificates, PEM (-----BEGIN CERTIFICATE-----).',
    });
  }
  return failures;
}

function isCertificateBundle(pem: string): boolean {
  const blocks = pemBlocks(pem);
  return blocks.length > 0 && blocks.every(({ text }) => isCertificate(text));
}

/** Checks that a name or path is not empty. */
export function checkName(property: string, name: string | undefined): CheckFailure[] {
  return name !== undefined && name.trim() === "" ? [{ property, reason: `"${property}" is empty.` }] : [];
}
