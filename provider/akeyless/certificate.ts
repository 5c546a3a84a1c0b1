import { X509Certificate } from "node:crypto";
import { isProviderError, ProviderError } from "../errors.ts";
import { type CheckFailure, type Fields, same } from "../fields.ts";
import type { Context, Resource, State } from "../resource.ts";
import type { AkeylessApi } from "./api.ts";
import {
  type ApiInputs,
  apiFields,
  apiFor,
  apiOutputs,
  changed,
  checkEndpoint,
  checkName,
  driftField,
  glance,
} from "./endpoint.ts";
import { pemBlocks } from "./material.ts";

export interface CertificateInputs extends ApiInputs {
  readonly name: string;
  readonly certificatePem: string;
  readonly expirationEventIn?: readonly string[];
  readonly description?: string;
  readonly tags?: readonly string[];
}

export interface CertificateOutputs extends ApiInputs {
  readonly name: string;
  readonly fingerprint: string;
  readonly notAfter: string;
  readonly drift: readonly string[];
}

type CertificateState = State<CertificateInputs, CertificateOutputs>;

const inputs: Fields = {
  ...apiFields,
  name: { type: "string", required: true, description: "Name (path) of the certificate's item." },
  certificatePem: { type: "string", required: true, description: "The certificate, PEM. No private key is needed." },
  expirationEventIn: {
    type: "strings",
    description: 'Days before the end at which Akeyless raises an event, such as ["30", "7"].',
  },
  description: { type: "string", description: "For people." },
  tags: { type: "strings", description: "Tags of the item, as it is made." },
};

const outputs: Fields = {
  ...apiFields,
  name: { type: "string", description: "Name of the certificate's item." },
  fingerprint: { type: "string", description: "SHA-256 of the certificate's DER, in hexadecimal with colons." },
  notAfter: { type: "string", description: "End of validity, RFC 3339." },
  ...driftField,
};

/** What a description of a certificate's item holds, as far as we read it. */
interface LiveItem {
  readonly item_general_info: {
    readonly certificate_chain_info?: {
      readonly certificate_pem?: string;
      readonly expiration_events?: readonly { readonly seconds_before?: number }[];
    };
  };
}

/** A certificate that Akeyless watches: an Event Forwarder there tells people that it is about to expire. */
export const akeylessCertificate: Resource<CertificateInputs, CertificateOutputs> = {
  type: "k8sauth:index:AkeylessCertificate",
  description: "A certificate registered with Akeyless for notices before it expires.",
  inputs,
  outputs,

  check({ known }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("name", known.name),
      ...checkCertificate(known.certificatePem),
      ...checkDays(known.expirationEventIn),
    ];
  },

  async create(given, context) {
    const api = apiFor(given, context);
    const { name, tags } = given;
    try {
      await api.call("/create-certificate", { ...body(given), ...(tags && { tags }) }, "once");
    } catch (error) {
      if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
      await adopt(api, given, error, context);
    }
    return { id: name, outputs: told(given) };
  },

  async previewCreate({ known, unknown }) {
    return { outputs: forecast(known, unknown) };
  },

  async diff(state, { known, unknown }) {
    return {
      ...changed(["certificatePem", "expirationEventIn", "description"], state.inputs, known, unknown),
      ...(state.outputs.drift?.length ? { drift: "update" as const } : {}),
      ...changed(["name", "apiUrl", "tags"], state.inputs, known, unknown, "replace"),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    return { outputs: { ...state.outputs, ...forecast(known, unknown) } };
  },

  async update(_state, given, context) {
    await apiFor(given, context).call("/update-certificate-value", body(given), "repeatable");
    return told(given);
  },

  async read(state, context) {
    const { name } = state.outputs;
    if (name === undefined || state.inputs.certificatePem === undefined) {
      throw new ProviderError(
        "AKEYLESS_NOT_IMPORTABLE",
        "A registered certificate cannot be imported.",
        "Declare it in the program and run up: one of the same certificate is taken over.",
      );
    }
    const what = `The certificate "${name}"`;
    const live = await glance(what, context, () => find(apiFor(here(state), context), name));
    if (live === undefined) return undefined;
    if (live === "unseen") return { id: state.id, outputs: state.outputs };
    const drift = differences(state.inputs as CertificateInputs, live);
    if (drift.length > 0) context.log.info(`${what} was changed by somebody else: ${drift.join(", ")}.`);
    return { id: state.id, outputs: { ...state.outputs, drift } };
  },

  async delete(state, context) {
    await apiFor(here(state), context).remove("/delete-item", { name: state.outputs.name ?? state.id });
  },
};

function here({ inputs: given, outputs: known }: CertificateState): Partial<ApiInputs> {
  return { apiUrl: known.apiUrl ?? given.apiUrl, caPem: given.caPem ?? known.caPem };
}

function find(api: AkeylessApi, name: string) {
  return api.find<LiveItem>("/describe-item", { name });
}

type Live = NonNullable<Awaited<ReturnType<typeof find>>>;

/** The format is required beside inline data, whatever the documents leave out. */
function body({ name, certificatePem, expirationEventIn = [], description }: CertificateInputs): object {
  return {
    name,
    "certificate-data": Buffer.from(clean(certificatePem)).toString("base64"),
    format: "pem",
    "expiration-event-in": expirationEventIn,
    ...(description === undefined ? {} : { description }),
  };
}

function clean(pem: string): string {
  return pemBlocks(pem)
    .map((block) => `${block.replaceAll("\r", "")}\n`)
    .join("");
}

function told(given: CertificateInputs): CertificateOutputs {
  const certificate = new X509Certificate(given.certificatePem);
  return {
    ...apiOutputs(given),
    name: given.name,
    fingerprint: certificate.fingerprint256,
    notAfter: certificate.validToDate.toISOString(),
    drift: [],
  };
}

function forecast(known: Partial<CertificateInputs>, unknown: ReadonlySet<string>): Partial<CertificateOutputs> {
  if (!unknown.has("certificatePem")) return told(known as CertificateInputs);
  return { ...apiOutputs(known), name: known.name, fingerprint: undefined, notAfter: undefined, drift: [] };
}

function differences({ certificatePem, expirationEventIn = [] }: CertificateInputs, live: Live): string[] {
  const { certificate_pem: pem, expiration_events: events } = live.item_general_info?.certificate_chain_info ?? {};
  const days = (events ?? []).map(({ seconds_before: seconds = 0 }) => String(seconds / 86_400));
  return [
    ...(pem && fingerprint(pem) !== fingerprint(certificatePem) ? ["certificatePem"] : []),
    ...(events && !same([...days].sort(), [...expirationEventIn].sort()) ? ["expirationEventIn"] : []),
  ];
}

/** What a run that was killed has left has this very certificate; what has another one is somebody else's. */
async function adopt(
  api: AkeylessApi,
  given: CertificateInputs,
  error: ProviderError,
  context: Context,
): Promise<void> {
  const live = await find(api, given.name);
  if (live === undefined || !live.item_general_info?.certificate_chain_info?.certificate_pem) throw error;
  const wrong = differences(given, live);
  if (wrong.includes("certificatePem")) {
    throw new ProviderError(
      "AKEYLESS_NAME_TAKEN",
      `${error.message} It is another certificate.`,
      "Choose another name, or delete that item first.",
    );
  }
  context.log.info(`The certificate "${given.name}" is left of an earlier run: going on with it.`);
  if (wrong.length > 0) await api.call("/update-certificate-value", body(given), "repeatable");
}

function fingerprint(pem: string): string | undefined {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch {
    return undefined;
  }
}

function checkCertificate(pem: string | undefined): CheckFailure[] {
  if (pem === undefined) return [];
  if (/PRIVATE KEY-----/.test(pem)) {
    const reason = '"certificatePem" holds a private key, which does not belong there: notices need none.';
    return [{ property: "certificatePem", reason }];
  }
  if (pemBlocks(pem).length > 0 && fingerprint(pem) !== undefined) return [];
  return [{ property: "certificatePem", reason: '"certificatePem" must be a certificate, PEM.' }];
}

function checkDays(days: readonly string[] | undefined): CheckFailure[] {
  return (days ?? [])
    .filter((day) => !/^[1-9]\d{0,3}$/.test(day))
    .map((day) => ({ property: "expirationEventIn", reason: `"${day}" is not a number of days.` }));
}
