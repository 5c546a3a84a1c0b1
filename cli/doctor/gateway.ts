/** Checks from this machine whether a gateway can use the host and the CA of the auth configs. */
import { lookup } from "node:dns/promises";
import type { BlockList } from "node:net";
import { isIP } from "node:net";
import { proveHost } from "../../kubernetes/cluster/hostProof.ts";
import { hostnameOf, limitedReason, localReason, networks, within } from "../../kubernetes/cluster/hostReach.ts";
import { probeServer } from "../../kubernetes/cluster/probe.ts";
import { isKubeError, isUnreachable, type KubeClient, KubeError } from "../../kubernetes/index.ts";
import { inClusterContext } from "../../kubernetes/kubeconfig/inCluster.ts";
import { proxyText } from "../../kubernetes/transport/proxyAgent.ts";
import { proxyOf } from "../../kubernetes/transport/transport.ts";
import { failure } from "./cluster.ts";
import type { Diagnosis } from "./diagnosis.ts";

/** Host and CA that the auth configs will have. */
export interface GatewayTarget {
  /** https URL without a slash at the end. */
  readonly host: string;
  /** PEM; "" means the public roots. */
  readonly caPem: string;
  /** Whether the host is the kubeconfig's server, and not the one of `--host`. */
  readonly fromKubeconfig: boolean;
  /** Whether the gateway runs on this machine. */
  readonly allowLoopback: boolean;
}

export interface GatewayOptions {
  /** Name of this machine, for messages. */
  readonly machine: string;
  /** The command that prints {@link gatewayCheck}. */
  readonly printCheck: string;
  readonly signal: AbortSignal;
}

/** Examines the gateway's way to the API server from this machine. The calls to the gateway's host carry no credential. */
export async function examineGateway(
  client: KubeClient,
  target: GatewayTarget,
  options: GatewayOptions,
): Promise<Diagnosis[]> {
  const services = await serviceNetworks(client, options.signal);
  const refused = unusableReason(client, target);
  if (refused !== undefined && !target.allowLoopback) {
    const remedy = await betterHost(target, services, options.signal);
    return [{ subject: "host", status: "failed", seen: `${describeHost(target)} is ${refused}`, remedy }];
  }
  const host: Diagnosis =
    refused === undefined
      ? { subject: "host", status: "ok", seen: describeHost(target) }
      : {
          subject: "host",
          status: "note",
          seen: `${describeHost(target)} is ${refused}: for a gateway on this machine`,
        };
  const [address, connection] = await Promise.all([
    refused === undefined ? [await addressOf(target, services)] : [],
    connectionTo(client, target, options.signal),
  ]);
  // A loopback address is used on this machine, which the lines above have tested.
  const elsewhere = refused === undefined ? [fromGateway(options)] : [];
  return [host, ...address, connection, ...proxyBetween(client, target), ...elsewhere];
}

/** A command for a POSIX shell on the gateway's machine. It requests `/version`, and trusts only the given CA, or the system's if it is "". */
export function gatewayCheck({ host, caPem }: Pick<GatewayTarget, "host" | "caPem">): string {
  const curl = "curl --silent --show-error --max-time 10";
  const url = quoted(`${host}/version`);
  if (caPem === "") return `${curl} ${url}\n`;
  // Without --capath some builds of curl also trust the CAs of the system.
  return `${curl} --capath /dev/null --cacert /dev/stdin ${url} <<'CA'\n${caPem.trimEnd()}\nCA\n`;
}

/** Text as one word for a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function describeHost({ host, fromKubeconfig }: GatewayTarget): string {
  return `${host} (${fromKubeconfig ? "the kubeconfig's server" : "--host"})`;
}

/** The reason why a gateway on another machine cannot use the host; undefined if there is none. */
function unusableReason({ connection }: KubeClient, { host, fromKubeconfig }: GatewayTarget): string | undefined {
  const inPod = fromKubeconfig && connection.context === inClusterContext;
  return localReason(hostnameOf(host)) ?? (inPod ? "an address inside the cluster" : undefined);
}

/** The remedy for a host that a gateway on another machine cannot use. It lists other names in the server's certificate. */
async function betterHost({ host }: GatewayTarget, services: BlockList, signal: AbortSignal): Promise<string> {
  const names = (await certifiedNames(host, signal)).filter(
    (name) => localReason(name) === undefined && !(isIP(name) > 0 && within(services, name)),
  );
  const also = names.length === 0 ? "" : ` The server's certificate is also for ${names.join(", ")}.`;
  return `Set \`kubernetesHost\` to a URL that the gateway reaches, and test it with \`--host\`.${also} For a gateway on this machine, set \`allowLoopbackHost\` (\`--allow-loopback\`).`;
}

/** Names and addresses of the server's certificate; none if there is no server. The certificate is not checked. */
async function certifiedNames(host: string, signal: AbortSignal): Promise<string[]> {
  try {
    const { chain } = await probeServer(
      new URL(host).origin,
      "/version",
      AbortSignal.any([signal, AbortSignal.timeout(3_000)]),
    );
    const names = chain[0]?.subjectAltName ?? "";
    const found = names.matchAll(/(?:DNS|IP Address):([^\s,"]+)/g);
    // Node.js prints every group of an IPv6 address.
    return Array.from(found, ([, name = ""]) =>
      isIP(name) === 6 ? hostnameOf(`https://[${name}]`) : name.toLowerCase(),
    );
  } catch (error) {
    if (error instanceof KubeError) return [];
    throw error;
  }
}

/** The networks of Services, as far as the deployer may read them. */
async function serviceNetworks(client: KubeClient, signal: AbortSignal): Promise<BlockList> {
  const read = async <T>(path: string): Promise<T | undefined> => {
    try {
      return await client.get<T>(path, { retry: false, timeoutMs: 3_000, signal });
    } catch (error) {
      if (error instanceof KubeError) return undefined;
      throw error;
    }
  };
  const [ranges, service] = await Promise.all([
    read<{ items?: { spec?: { cidrs?: string[] } }[] }>("/apis/networking.k8s.io/v1/servicecidrs"),
    read<{ spec?: { clusterIPs?: string[] } }>("/api/v1/namespaces/default/services/kubernetes"),
  ]);
  const addresses = (service?.spec?.clusterIPs ?? []).map((ip) => `${ip}/${isIP(ip) === 6 ? 128 : 32}`);
  return networks([...(ranges?.items ?? []).flatMap(({ spec }) => spec?.cidrs ?? []), ...addresses]);
}

/** Diagnosis of the host's addresses: a gateway can reach them, or needs a route or a resolver. @param services networks of Services */
export async function addressOf({ host }: Pick<GatewayTarget, "host">, services: BlockList): Promise<Diagnosis> {
  const subject = "address";
  const name = hostnameOf(host);
  const isName = isIP(name) === 0;
  let addresses = [name];
  try {
    if (isName) addresses = (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const seen = `this machine cannot resolve the name (${code})${clause(limitedReason(name))}`;
    return { subject, status: "failed", seen, remedy: `Correct the host. ${onlyGateway("resolves it")}` };
  }
  const seen = isName ? `this machine resolves the name to ${addresses.join(", ")}` : name;
  if (addresses.some((address) => within(services, address))) {
    const remedy = "Set `kubernetesHost` to the API server's address outside the cluster.";
    return { subject, status: "failed", seen: `${seen}, an address of the cluster's Services`, remedy };
  }
  const local = isName ? addresses.map(localReason).find((reason) => reason !== undefined) : undefined;
  if (local !== undefined) {
    const remedy = "The gateway must resolve the name to another address. This machine's hosts file may contain it.";
    return { subject, status: "note", seen: `${seen}, ${local}`, remedy };
  }
  const limits = [name, ...(isName ? addresses : [])].map(limitedReason).filter((reason) => reason !== undefined);
  if (limits.length === 0) return { subject, status: "ok", seen: `${seen}, a public address` };
  const remedy = `The gateway needs ${isName && limitedReason(name) ? "a resolver that knows the name, and a route" : "a route"} to the address.`;
  return { subject, status: "note", seen: `${seen}, ${[...new Set(limits)].join(", ")}`, remedy };
}

function clause(reason: string | undefined): string {
  return reason === undefined ? "" : `, ${reason}`;
}

function onlyGateway(verb: string): string {
  return `If only the gateway ${verb}, set \`proveHost\` to false.`;
}

/** Proves host and CA by a handshake from this machine, without a proxy. */
async function connectionTo(client: KubeClient, target: GatewayTarget, signal: AbortSignal): Promise<Diagnosis> {
  const subject = "connection";
  const { host, caPem } = target;
  const name = hostnameOf(host);
  try {
    await proveHost(host, caPem, 5_000, signal);
  } catch (error) {
    const { remedy = "", ...diagnosis } = failure(subject, error);
    return { ...diagnosis, remedy: remedyFor(error, name, client) ?? remedy };
  }
  if (caPem !== "") {
    return { subject, status: "ok", seen: `from this machine: the CA's certificate for "${name}", and an API server` };
  }
  const seen = `from this machine: a public CA's certificate for "${name}", and an API server`;
  const remedy = "Set `kubernetesCa` to the certificate of that CA if the product needs one, as Consul does.";
  return { subject, status: "note", seen, remedy };
}

function remedyFor(error: unknown, name: string, { connection }: KubeClient): string | undefined {
  if (isUnreachable(error)) return `${error.remedy} ${onlyGateway("reaches it")}`;
  if (isKubeError(error, "KUBE_TLS_NAME")) {
    const kubeconfig = connection.tlsServerName === undefined ? "" : " Gateways have no tls-server-name.";
    return `Set \`kubernetesHost\` to a name of the certificate, or issue the certificate for "${name}" too.${kubeconfig}`;
  }
  if (isKubeError(error, "KUBE_TLS_UNTRUSTED")) {
    return "Set `kubernetesCa` to the CA that signed the host's certificate, and test it with `--ca`.";
  }
  return undefined;
}

/** Reports a proxy that this machine uses for the host. An auth config cannot name a proxy. */
function proxyBetween({ connection }: KubeClient, { host, fromKubeconfig }: GatewayTarget): Diagnosis[] {
  const agent = fromKubeconfig ? connection.proxyAgent : undefined;
  const proxy = proxyOf({ env: connection.env, ...(agent && { proxyAgent: agent }) }, new URL(host));
  if (proxy === undefined) return [];
  const source = agent === undefined ? "HTTPS_PROXY of this shell" : "proxy-url of the kubeconfig";
  const seen = `this machine uses ${proxyText(proxy)} (${source}). The connection above is without it, and so are the auth configs`;
  const remedy = "If the gateway needs a proxy too, set HTTPS_PROXY for the gateway's process.";
  return [{ subject: "proxy", status: "note", seen, remedy }];
}

function fromGateway({ machine, printCheck }: GatewayOptions): Diagnosis {
  const seen = `not tested: doctor runs on ${machine}`;
  const remedy = `Run \`${printCheck} | ssh GATEWAY sh\`: curl on the gateway's machine must print JSON, also with code 401 or 403.`;
  return { subject: "from the gateway", status: "unknown", seen, remedy };
}
