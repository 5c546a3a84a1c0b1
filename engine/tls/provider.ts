import { unsupported } from "../errors.ts";
import {
  type CheckRequest,
  type CheckResult,
  type Created,
  type CreateRequest,
  type DiffRequest,
  type DiffResult,
  noDiff,
  type Provider,
  type ReadRequest,
  type ReadResult,
  type UpdateRequest,
} from "../provider.ts";
import { typeOf, type Urn } from "../urn.ts";
import { changedKeys, type Properties } from "../values.ts";
import type { ResourceType } from "./resourceType.ts";

/** Loaded when they are first asked for: most stacks have neither, and every run starts with this module. */
const types: Readonly<Record<string, () => Promise<ResourceType>>> = {
  "tls:index/privateKey:PrivateKey": async () => (await import("./privateKey.ts")).privateKey,
  "tls:index/certRequest:CertRequest": async () => (await import("./certRequest.ts")).certRequest,
};

/**
 * Private keys and certificate requests with the ids, outputs and state that `pulumi-resource-tls` gives them, so that
 * either goes on with what the other made. They exist nowhere but in the state.
 */
export class TlsProvider implements Provider {
  readonly supportsPreview = true;

  /** The provider's only setting is a proxy for lookups that are not carried. */
  async checkConfig({ news }: CheckRequest): Promise<CheckResult> {
    const failures = Object.keys(news)
      .filter((key) => key !== "version" && key !== "__internal")
      .map((property) => ({ property, reason: "the embedded engine does not carry this setting of a tls.Provider" }));
    return { inputs: news, failures };
  }

  async diffConfig(): Promise<DiffResult> {
    return noDiff;
  }

  async configure(): Promise<void> {}

  async check({ urn, news }: CheckRequest): Promise<CheckResult> {
    const type = await carried(urn);
    if (news.privateKeyPemWo != null || news.privateKeyPemWoVersion != null) {
      throw unsupported("write-only inputs (privateKeyPemWo)", urn);
    }
    return type.check(news);
  }

  /** Compares with the outputs, where defaults are filled in: to write a default out changes nothing. */
  async diff({ urn, oldOutputs, newInputs }: DiffRequest): Promise<DiffResult> {
    const { inputs, complete } = await carried(urn);
    const own = (properties: Properties) => {
      const all = complete(properties);
      return Object.fromEntries(inputs.map((key) => [key, all[key] ?? undefined]));
    };
    const diffs = changedKeys(own(oldOutputs), own(newInputs));
    return { changes: diffs.length > 0, diffs, replaces: diffs, deleteBeforeReplace: false };
  }

  async create({ urn, inputs, preview }: CreateRequest): Promise<Created> {
    const { complete, create } = await carried(urn);
    return preview ? { id: "", outputs: complete(inputs) } : create(inputs);
  }

  /** Nothing changes in place. */
  async update({ urn, oldOutputs }: UpdateRequest): Promise<Properties> {
    await carried(urn);
    return oldOutputs;
  }

  async read({ urn, inputs, outputs }: ReadRequest): Promise<ReadResult> {
    await carried(urn);
    return { inputs, outputs };
  }

  /** Leaving the state is all there is to it, for every type of the package. */
  async delete(): Promise<void> {}

  async cancel(): Promise<void> {}

  async close(): Promise<void> {}
}

/** Throws `UNSUPPORTED` for the other types of the package. */
async function carried(urn: Urn): Promise<ResourceType> {
  const name = typeOf(urn);
  const load = types[name];
  if (!load) throw unsupported(`the TLS type ${name}`, urn);
  return load();
}
