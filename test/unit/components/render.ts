import * as pulumi from "@pulumi/pulumi";
import { Cluster } from "../../../components/cluster.ts";
import { stackLabels } from "../../../components/labels.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

/** A resource that a component registers, with what the engine gets of it. */
export interface Rendered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  /** URN and id of its provider; "" for the default one. */
  readonly provider: string;
}

/** The CA of the cluster that components get. */
export const caPem = makeCertificate({ commonName: "ca" }).certPem.replaceAll("\r", "");

/** A JWT in form, which is the token that every account has. */
export const token = "e30.e30.c2lnbmF0dXJl";

/** A value that the engine gets as a secret. */
export function secret(value: unknown): object {
  return { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value };
}

let registered: Rendered[] = [];

/** Outputs that engine and plugins add to the inputs of a resource. */
const outputs: Record<string, Record<string, unknown>> = {
  "k8sauth:index:Cluster": {
    host: "https://api.example:6443",
    caPem,
    issuer: "https://issuer.example",
    jwks: '{"keys":[]}',
  },
  "k8sauth:index:ReviewerToken": { token, subject: "system:serviceaccount:home:reader" },
  "k8sauth:index:SignedCertificate": { certificatePem: "a certificate", notAfter: "2027-01-01T00:00:00Z" },
  "tls:index/privateKey:PrivateKey": { privateKeyPem: pulumi.secret("a key") },
  "tls:index/certRequest:CertRequest": { certRequestPem: "a request" },
};

function stateOf({ type, name, inputs }: pulumi.runtime.MockResourceArgs): Record<string, unknown> {
  if (!type.startsWith("kubernetes:")) return { ...inputs, ...outputs[type] };
  // An object without a name gets a generated one.
  return { ...inputs, metadata: { name: `${name}-generated`, ...inputs.metadata, uid: `uid of ${type} ${name}` } };
}

/** Labels of every Kubernetes object that a rendered component creates. */
export const ownLabels = stackLabels({ organization: "organization", project: "shop", stack: "dev" });

let recorder: unknown;

/** Takes the place of the engine, unless it has it already: another file of the worker may have taken it. */
async function startRecording(): Promise<void> {
  registered = [];
  if (recorder !== undefined && pulumi.runtime.getMonitor() === recorder) return;
  await pulumi.runtime.setMocks(
    {
      newResource(args) {
        const { type, name, inputs, provider = "" } = args;
        registered.push({ type, name, inputs: inputs as Record<string, unknown>, provider });
        return { id: args.name, state: stateOf(args) };
      },
      call: ({ inputs }) => inputs,
    },
    "shop",
    "dev",
    false,
    "organization",
  );
  recorder = pulumi.runtime.getMonitor();
}

/** Resources of a program, as it registers them with the engine. */
export async function registrations(create: () => unknown): Promise<readonly Rendered[]> {
  await startRecording();
  create();
  await settled();
  return registered;
}

/** Creates a component and returns it with everything below it, as the engine gets it. */
export async function render<C extends pulumi.ComponentResource>(
  create: (cluster: Cluster) => C,
): Promise<{ component: C; objects: readonly Rendered[] }> {
  await startRecording();
  const component = create(new Cluster("cluster", {}));
  await settled();
  const isChild = ({ type }: Rendered) => /^(kubernetes|tls):/.test(type) || /(Token|Certificate)$/.test(type);
  const objects = registered.filter((object) => isChild(object) && object.type !== componentType(component));
  return { component, objects };
}

function componentType(component: pulumi.ComponentResource): string {
  return `k8sauth:index:${component.constructor.name}`;
}

/** Resolves once nothing registers any more. */
async function settled(): Promise<void> {
  await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
}

/** The inputs of the only resource of a type, such as `core/v1:Secret` or `ReviewerToken`. */
export function only(objects: readonly Rendered[], type: string): Record<string, unknown> {
  const found = objects.filter((object) => object.type.endsWith(`:${type}`) || object.type === type);
  if (found.length !== 1)
    throw new Error(`${found.length} resources are a ${type}: ${objects.map(({ type }) => type)}`);
  return found[0]?.inputs ?? {};
}

/** The rendered resources, as sorted lines `TYPE NAME`. */
export function listed(objects: readonly Rendered[]): string[] {
  return objects.map(({ type, name }) => `${type} ${name}`).sort();
}

/** Resolves to the value of an output. */
export function resolved<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}
