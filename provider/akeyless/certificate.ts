import { X509Certificate } from "node:crypto";
import { pemBlocks } from "../../kubernetes/pem.ts";
import { isProviderError, ProviderError } from "../protocol/errors.ts";
import type { CheckFailure, Fields } from "../protocol/fields.ts";
import type { Context, Resource } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import {
  type ApiInputs,
  apiFields,
  apiFor,
  apiOutputs,
  checkEndpoint,
  checkName,
  storedApi,
  storedEndpoint,
} from "./api/endpoint.ts";
import {
  changed,
  changedPaths,
  commonChanges,
  describedBody,
  describedUpdate,
  driftField,
  notImportable,
  orphanWarning,
  refreshObject,
} from "./api/object.ts";
import {
  type CertificateSettings,
  certificateDifferences,
  findCertificate,
  fingerprintOf,
  type LiveCertificate,
  valueBody,
} from "./certificateItem.ts";
import { warnUndelivered } from "./eventForwarder.ts";

export interface CertificateInputs extends ApiInputs, CertificateSettings {
  readonly name: string;
  readonly eventForwarder?: string;
}

export interface CertificateOutputs extends ApiInputs {
  readonly name: string;
  readonly fingerprint: string;
  readonly notAfter: string;
  readonly drift: readonly string[];
}

const inputs: Fields = {
  ...apiFields,
  name: { type: "string", required: true },
  certificatePem: { type: "string", required: true },
  expirationEventIn: { type: "days" },
  eventForwarder: { type: "string" },
  description: { type: "string" },
  tags: { type: "strings" },
  deleteProtection: { type: "boolean" },
};

const outputs: Fields = {
  ...apiFields,
  name: { type: "string" },
  fingerprint: { type: "string" },
  notAfter: { type: "string" },
  ...driftField,
};

/** Inputs that are fields of the item, and not of its value. */
const itemFields = ["description", "tags", "deleteProtection"];

/** A certificate that Akeyless watches: it raises an event before the certificate expires. */
export const akeylessCertificate: Resource<CertificateInputs, CertificateOutputs> = {
  type: "k8sauth:index:AkeylessCertificate",
  inputs,
  outputs,

  check({ known }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("name", known.name),
      ...checkPem(known.certificatePem),
      ...checkDays(known.expirationEventIn),
    ];
  },

  async create(given, context) {
    const api = apiFor(given, context);
    await createItem(api, given, context);
    return { id: given.name, outputs: outputsOf(given) };
  },

  async previewCreate({ known, unknown }) {
    return { outputs: previewOutputs(known, unknown) };
  },

  async diff(state, { known, unknown }) {
    const names = ["certificatePem", "expirationEventIn", "eventForwarder", ...itemFields];
    return {
      ...changed(names, state.inputs, known, unknown),
      ...commonChanges(state, known, unknown),
      ...changedPaths(["name"], state.inputs, known, unknown, "replace"),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    return { outputs: { ...state.outputs, ...previewOutputs(known, unknown) } };
  },

  async update(state, given, context) {
    const api = apiFor(given, context);
    const live = await findCertificate(api, given.name);
    if (live === undefined && storedEndpoint(state).apiUrl !== given.apiUrl) {
      context.log.warn(orphanWarning(`The certificate "${given.name}"`, storedEndpoint(state).apiUrl));
    }
    if (live === undefined) await createItem(api, given, context);
    else await reconcile(api, given, live, state.inputs);
    if (state.inputs.eventForwarder !== given.eventForwarder) await warnIfUndelivered(api, given, context);
    return outputsOf(given);
  },

  async read(state, context) {
    const { name } = state.outputs;
    if (name === undefined || state.inputs.certificatePem === undefined) {
      throw notImportable(
        "A registered certificate cannot be imported.",
        "Declare it in the program and run up: an item of the same certificate is taken over.",
      );
    }
    return refreshObject(
      `The certificate "${name}"`,
      state,
      context,
      (api) => findCertificate(api, name),
      (live) => certificateDifferences(state.inputs as CertificateInputs, live),
    );
  },

  async delete(state, context) {
    await storedApi(state, context).remove("/delete-item", { name: state.outputs.name ?? state.id });
  },
};

async function createItem(api: AkeylessApi, given: CertificateInputs, context: Context): Promise<void> {
  const { name, tags } = given;
  const body = { name, ...valueBody(given), ...describedBody(given), ...(tags && { tags }) };
  try {
    await api.call("/create-certificate", body, "once");
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    await adopt(api, given, error, context);
  }
  await warnIfUndelivered(api, given, context);
}

async function warnIfUndelivered(api: AkeylessApi, given: CertificateInputs, context: Context): Promise<void> {
  const { name, expirationEventIn = [], eventForwarder } = given;
  if (expirationEventIn.length > 0) await warnUndelivered(api, name, eventForwarder || undefined, context);
}

/** Takes over the item that a killed run created, if it has the same certificate. */
async function adopt(
  api: AkeylessApi,
  given: CertificateInputs,
  error: ProviderError,
  context: Context,
): Promise<void> {
  const live = await findCertificate(api, given.name);
  if (live === undefined) throw error;
  if (live.fingerprint !== fingerprintOf(given.certificatePem)) {
    const why = live.fingerprint === undefined ? "Akeyless does not show its certificate" : "It is another certificate";
    throw new ProviderError(
      "AKEYLESS_NAME_TAKEN",
      `${error.message} ${why}.`,
      "Choose another name, or delete that item first.",
    );
  }
  context.log.info(`The certificate "${given.name}" exists already, from an earlier run: it is taken over.`);
  await reconcile(api, given, live, given);
}

/** Updates the fields of an item that differ. Its value gets a new version only if the certificate or its events change. */
async function reconcile(
  api: AkeylessApi,
  given: CertificateInputs,
  live: LiveCertificate,
  before: Partial<CertificateInputs>,
): Promise<void> {
  const { name } = given;
  const wanted = {
    ...given,
    ...describedUpdate(given, before),
    tags: given.tags ?? (before.tags === undefined ? undefined : []),
  };
  const wrong = certificateDifferences(wanted, live);
  const hidden = live.fingerprint === undefined && before.certificatePem !== given.certificatePem;
  if (hidden || wrong.includes("certificatePem") || wrong.includes("expirationEventIn")) {
    await api.call("/update-certificate-value", { name, ...valueBody(given) }, "repeatable");
  }
  if (!itemFields.some((field) => wrong.includes(field))) return;
  const { tags = live.tags } = wanted;
  const added = tags.filter((tag) => !live.tags.includes(tag));
  const removed = live.tags.filter((tag) => !tags.includes(tag));
  const body = {
    name,
    ...describedBody(wanted),
    ...(added.length > 0 && { "add-tag": added }),
    ...(removed.length > 0 && { "rm-tag": removed }),
  };
  await api.call("/update-item", body, "repeatable");
}

function outputsOf(given: CertificateInputs): CertificateOutputs {
  const certificate = new X509Certificate(given.certificatePem);
  return {
    ...apiOutputs(given),
    name: given.name,
    fingerprint: certificate.fingerprint256,
    notAfter: certificate.validToDate.toISOString(),
    drift: [],
  };
}

function previewOutputs(known: Partial<CertificateInputs>, unknown: ReadonlySet<string>): Partial<CertificateOutputs> {
  if (!unknown.has("certificatePem")) return outputsOf(known as CertificateInputs);
  return { ...apiOutputs(known), name: known.name, fingerprint: undefined, notAfter: undefined, drift: [] };
}

function checkPem(pem: string | undefined): CheckFailure[] {
  if (pem === undefined) return [];
  if (/PRIVATE KEY-----/.test(pem)) {
    const reason = '"certificatePem" holds a private key, which expiry notices do not need. Remove it.';
    return [{ property: "certificatePem", reason }];
  }
  if (pemBlocks(pem).length > 0 && fingerprintOf(pem) !== undefined) return [];
  return [{ property: "certificatePem", reason: '"certificatePem" must be a certificate, PEM.' }];
}

function checkDays(days: readonly string[] | undefined): CheckFailure[] {
  return (days ?? [])
    .filter((day) => !/^[1-9]\d{0,3}$/.test(day))
    .map((day) => ({ property: "expirationEventIn", reason: `"${day}" is not a number of days.` }));
}
