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
import { certRequestInputs, checkCertRequest, createCertRequest, withoutNulls } from "./certRequest.ts";
import { checkPrivateKey, createPrivateKey, privateKeyInputs, withDefaults } from "./privateKey.ts";

/** A type of resource. All of its inputs go into what it makes, so that any change of one replaces it. */
interface Type {
  readonly inputs: readonly string[];
  check(news: Properties): CheckResult;
  /** The inputs, and the outputs that are known without making anything. */
  complete(inputs: Properties): Properties;
  create(inputs: Properties): Promise<Created>;
}

const types: Readonly<Record<string, Type>> = {
  "tls:index/privateKey:PrivateKey": {
    inputs: privateKeyInputs,
    check: checkPrivateKey,
    complete: withDefaults,
    create: createPrivateKey,
  },
  "tls:index/certRequest:CertRequest": {
    inputs: certRequestInputs,
    check: checkCertRequest,
    complete: withoutNulls,
    create: createCertRequest,
  },
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
    const type = carried(urn);
    if (news.privateKeyPemWo != null || news.privateKeyPemWoVersion != null) {
      throw unsupported("write-only inputs (privateKeyPemWo)", urn);
    }
    return type.check(news);
  }

  /** Compares with the outputs, where defaults are filled in: to write a default out changes nothing. */
  async diff({ urn, oldOutputs, newInputs }: DiffRequest): Promise<DiffResult> {
    const { inputs, complete } = carried(urn);
    const own = (properties: Properties) => {
      const all = complete(properties);
      return Object.fromEntries(inputs.map((key) => [key, all[key] ?? undefined]));
    };
    const diffs = changedKeys(own(oldOutputs), own(newInputs));
    return { changes: diffs.length > 0, diffs, replaces: diffs, deleteBeforeReplace: false };
  }

  async create({ urn, inputs, preview }: CreateRequest): Promise<Created> {
    const { complete, create } = carried(urn);
    return preview ? { id: "", outputs: complete(inputs) } : create(inputs);
  }

  /** Nothing changes in place. */
  async update({ urn, oldOutputs }: UpdateRequest): Promise<Properties> {
    carried(urn);
    return oldOutputs;
  }

  async read({ urn, inputs, outputs }: ReadRequest): Promise<ReadResult> {
    carried(urn);
    return { inputs, outputs };
  }

  /** Leaving the state is all there is to it, for every type of the package. */
  async delete(): Promise<void> {}

  async cancel(): Promise<void> {}

  async close(): Promise<void> {}
}

function carried(urn: Urn): Type {
  const name = typeOf(urn);
  const type = types[name];
  if (!type) throw unsupported(`the TLS type ${name}`, urn);
  return type;
}
