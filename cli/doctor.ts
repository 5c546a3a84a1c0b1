import { KubeClient, loadConnection } from "../kubernetes/index.ts";
import type { Command, Io } from "./command.ts";
import { examineCluster, failure } from "./doctor/cluster.ts";
import { type Diagnosis, formatDiagnoses } from "./doctor/diagnosis.ts";
import { type Flow, flows } from "./doctor/flows.ts";
import { examineMachine } from "./doctor/machine.ts";
import { parse, UsageError } from "./usage.ts";

export const doctorCommand: Command = {
  name: "doctor",
  summary: "Examine this machine and a cluster before the first run",
  help: `Examine this machine (Node.js, Pulumi, Go, a sandbox's node) and a cluster: whether it can be reached, the difference between the
clocks, issuer, audiences, the deployer's rights by flow, and client certificates. Each problem is shown with its remedy. Doctor
builds and changes nothing.

Usage: k8sauth doctor [OPTIONS]

Options:
      --kubeconfig FILE   Kubeconfig of the deployer; default as kubectl finds it
      --context NAME      Its context; default the current one
      --namespace NAME    Namespace of reviewer and verifier, for which rights are checked; default gateway-auth. It need not exist.
      --flow FLOW         A flow that must be possible: ${flows.join(", ")}; may be repeated; default token
      --sign              Request a client certificate, for 10 minutes and for a user without rights, and delete the request
  -j, --json              Print the result as JSON

The rights are those of examples/deployer-rights. A stack with other settings may need more: \`pulumi preview\` names them.

Exit status: 0 nothing failed, 1 something failed, 2 wrong usage. "note" (something optional is missing) and "?" (could not be
determined) do not fail the command.
`,
  async run(args, io) {
    const options = {
      kubeconfig: { type: "string" },
      context: { type: "string" },
      namespace: { type: "string", default: "gateway-auth" },
      flow: { type: "string", multiple: true },
      sign: { type: "boolean", default: false },
      json: { type: "boolean", short: "j" },
    } as const;
    const { values } = parse(args, options);
    const required = (values.flow ?? ["token"]).map(flowOf);
    const machine = await examineMachine(io.env, io.signal);
    const { kubeconfig, context, namespace, sign } = values;
    const cluster = await withClient({ kubeconfig, context }, io, (client) =>
      examineCluster(client, { namespace, required, sign, now: () => new Date() }),
    );
    if (values.json) io.out(`${JSON.stringify({ machine, cluster }, undefined, 2)}\n`);
    else {
      io.out(`This machine\n${formatDiagnoses(machine, io.terminal)}`);
      io.out(`\nThe cluster\n${formatDiagnoses(cluster, io.terminal)}`);
    }
    return [...machine, ...cluster].some(({ status }) => status === "failed") ? 1 : 0;
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
}

/** Connects as the deployer. A machine without a kubeconfig has no cluster to examine, which is no failure unless one was named. */
async function withClient(
  choice: Choice,
  { env, signal }: Io,
  work: (client: KubeClient) => Promise<Diagnosis[]>,
): Promise<Diagnosis[]> {
  try {
    using client = new KubeClient(await loadConnection(choice, env), { signal });
    return await work(client);
  } catch (error) {
    const diagnosis = failure("kubeconfig", error);
    const named = choice.kubeconfig !== undefined || choice.context !== undefined;
    const absent = (error as { code?: unknown }).code === "KUBECONFIG_NOT_FOUND";
    return [absent && !named ? { ...diagnosis, status: "note" } : diagnosis];
  }
}
