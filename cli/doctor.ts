import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Connection } from "../kubernetes/connection.ts";
import { KubeClient, loadConnection } from "../kubernetes/index.ts";
import { directConnection } from "../kubernetes/kubeconfig/loadConnection.ts";
import type { Command, Io } from "./command.ts";
import { examineCluster, failure } from "./doctor/cluster.ts";
import { type Diagnosis, formatDiagnoses } from "./doctor/diagnosis.ts";
import { type Flow, flows } from "./doctor/flows.ts";
import { examineGateway, type GatewayTarget, gatewayCheck, quoted } from "./doctor/gateway.ts";
import { examineMachine } from "./doctor/machine.ts";
import { parse, UsageError } from "./usage.ts";

export const doctorCommand: Command = {
  help: `Examine what a first run needs, and show each problem with its remedy:

  this machine  Node.js, Pulumi, Go, and the requirements of a sandbox's node
  the cluster   connection, difference between the clocks, issuer, audiences,
                the deployer's rights by flow, client certificates
  the gateway   its way to the API server, as far as this machine can test it

Doctor builds nothing, and without --sign it changes nothing in the cluster. It
does not read the settings of a stack.

Usage: k8sauth doctor [OPTIONS]

Options:
      --kubeconfig FILE   Kubeconfig of the deployer; default as kubectl finds
                          it
      --context NAME      Its context; default the current one
      --namespace NAME    Judge the rights for a stack with namespace: NAME and
                          createNamespace: false; default those for a generated
                          namespace. It need not exist.
      --flow FLOW         A flow that must be possible, default token:
                          ${flows.join(", ")}; may be repeated
      --sign              Request a client certificate, for 10 minutes and for a
                          user without rights, and delete the request
      --host URL          API server as the gateway reaches it (setting
                          kubernetesHost); default the kubeconfig's server
      --ca FILE           CA certificates of the host, PEM (setting
                          kubernetesCa); default the kubeconfig's CA
      --allow-loopback    The gateway runs on this machine (setting
                          allowLoopbackHost)
      --gateway-check     Print a shell command that tests host and CA, and do
                          nothing else. It contains no secret. Run it on the
                          gateway's machine:
                          k8sauth doctor --gateway-check | ssh GATEWAY sh
  -j, --json              Print the result as JSON

The rights are those of examples/deployer-rights. A stack with other settings
may need more: \`pulumi preview\` names them.

Exit status: 0 nothing failed, 1 something failed, 2 wrong usage. "note"
(something optional is missing) and "?" (could not be determined) do not fail
the command.
`,
  async run(args, io) {
    const options = {
      kubeconfig: { type: "string" },
      context: { type: "string" },
      namespace: { type: "string" },
      flow: { type: "string", multiple: true },
      sign: { type: "boolean", default: false },
      host: { type: "string" },
      ca: { type: "string" },
      "allow-loopback": { type: "boolean", default: false },
      "gateway-check": { type: "boolean", default: false },
      json: { type: "boolean", short: "j" },
    } as const;
    const { values } = parse(args, options);
    const required = (values.flow ?? ["token"]).map(flowOf);
    if (values["gateway-check"]) {
      io.out(gatewayCheck(await targetOf(await loadConnection(values, io.env), values)));
      return 0;
    }
    const machine = await examineMachine(io.env, io.signal);
    const { cluster, gateway, check } = await examineRemote(values, required, io);
    if (values.json) io.out(`${JSON.stringify({ machine, cluster, gateway, gatewayCheck: check }, undefined, 2)}\n`);
    else {
      io.out(`This machine\n${formatDiagnoses(machine, io.terminal)}`);
      io.out(`\nThe cluster\n${formatDiagnoses(cluster, io.terminal)}`);
      if (gateway.length > 0) {
        io.out(`\nThe gateway's way to the cluster, from this machine\n${formatDiagnoses(gateway, io.terminal)}`);
      }
    }
    return [...machine, ...cluster, ...gateway].some(({ status }) => status === "failed") ? 1 : 0;
  },
};

function flowOf(name: string): Flow {
  const flow = flows.find((known) => known === name);
  if (flow === undefined) throw new UsageError(`there is no flow "${name}": expected ${flows.join(", ")}`);
  return flow;
}

interface Choice {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly host?: string | undefined;
  readonly ca?: string | undefined;
  readonly "allow-loopback": boolean;
  readonly namespace?: string | undefined;
  readonly sign: boolean;
}

interface Remote {
  readonly cluster: Diagnosis[];
  /** Empty without a kubeconfig. */
  readonly gateway: Diagnosis[];
  /** The shell command for the gateway's machine. */
  readonly check?: string;
}

/** Examines cluster and gateway as the deployer. A missing kubeconfig is a failure only if an option is about the cluster. */
async function examineRemote(choice: Choice, required: readonly Flow[], { env, signal }: Io): Promise<Remote> {
  let connection: Connection;
  try {
    connection = await loadConnection(choice, env);
  } catch (error) {
    const diagnosis = failure("kubeconfig", error);
    const { kubeconfig, context, host, ca, sign } = choice;
    const wanted = [kubeconfig, context, host, ca].some((value) => value !== undefined) || sign;
    const absent = (error as { code?: unknown }).code === "KUBECONFIG_NOT_FOUND";
    return { cluster: [absent && !wanted ? { ...diagnosis, status: "note" } : diagnosis], gateway: [] };
  }
  const target = await targetOf(connection, choice);
  const { namespace, sign } = choice;
  using client = new KubeClient(connection, { signal });
  const [cluster, gateway] = await Promise.all([
    examineCluster(client, { namespace, required, sign, now: () => new Date() }),
    examineGateway(client, target, { machine: hostname(), printCheck: printCheck(choice), signal }),
  ]);
  return { cluster, gateway, check: gatewayCheck(target) };
}

/** Host and CA of the auth configs. @throws UsageError */
async function targetOf({ server, caPem }: Connection, choice: Partial<Choice>): Promise<GatewayTarget> {
  const { host, ca } = choice;
  try {
    const pem = ca === undefined ? caPem : await readFile(ca, "utf8");
    const label = ca === undefined ? "--host" : `--ca ${ca}`;
    const target = directConnection({ server: host ?? server, caPem: pem, label });
    const allowLoopback = choice["allow-loopback"] === true;
    return { host: target.server, caPem: target.caPem, fromKubeconfig: host === undefined, allowLoopback };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The command line that prints {@link gatewayCheck}, with the options of this run. */
function printCheck(choice: Choice): string {
  const options = (["kubeconfig", "context", "host", "ca"] as const).flatMap((name) => {
    const value = choice[name];
    return value === undefined ? [] : [`--${name} ${/^[\w./:@%+=,-]+$/.test(value) ? value : quoted(value)}`];
  });
  return ["npx --no k8sauth doctor", ...options, "--gateway-check"].join(" ");
}
