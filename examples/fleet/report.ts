/** What a fleet's run comes to: every stack's result, and every credential with its end, the soonest first. No secrets. */
import type { Changes, Value } from "../../engine/index.ts";
import type { StackDriver } from "./driver.ts";
import type { RunOptions, StackResult, Status } from "./run.ts";

export interface StackReport {
  readonly cluster: string;
  readonly stack: string;
  readonly status: Status;
  readonly seconds: number;
  /** How many resources each operation touched. */
  readonly changes: Changes;
  readonly error?: { readonly message: string; readonly code?: string };
  /** As the gateway reaches the cluster; empty where the stack was never made. */
  readonly host: string;
  readonly kubernetes: string;
  readonly distribution: string;
  readonly credentials: number;
}

export interface CredentialReport {
  readonly cluster: string;
  readonly stack: string;
  /** `token`, `certificate`, or a bearer-token user's name. */
  readonly name: string;
  readonly kind: string;
  readonly subject: string;
  readonly fingerprint: string;
  /** ISO 8601; empty where there is none. */
  readonly notBefore: string;
  /** Empty for a credential without an end. */
  readonly notAfter: string;
  /** From then on an `up` renews it. */
  readonly renewAfter: string;
  readonly condition: Condition;
}

/** Where a credential is in its life at the time of the report. `endless`: it has no end, and is never renewed. */
export type Condition = "expired" | "due" | "valid" | "endless";

export interface FleetReport {
  readonly version: 1;
  readonly operation: RunOptions["operation"];
  readonly engine: StackDriver["engine"];
  readonly started: string;
  readonly ended: string;
  readonly parallel: number;
  readonly interrupted: boolean;
  readonly stacks: readonly StackReport[];
  readonly credentials: readonly CredentialReport[];
}

export interface RunFacts {
  readonly operation: RunOptions["operation"];
  readonly engine: StackDriver["engine"];
  readonly started: Date;
  readonly ended: Date;
  readonly parallel: number;
  readonly interrupted: boolean;
}

/** Makes the report of a run. */
export function makeReport(results: readonly StackResult[], facts: RunFacts): FleetReport {
  const { operation, engine, started, ended, parallel, interrupted } = facts;
  const credentials = results.flatMap((result) => credentialsOf(result, ended));
  return {
    version: 1,
    operation,
    engine,
    started: started.toISOString(),
    ended: ended.toISOString(),
    parallel,
    interrupted,
    stacks: results.map(stackOf),
    credentials: credentials.sort(soonestFirst),
  };
}

function stackOf({ cluster, status, seconds, changes, error, facts }: StackResult): StackReport {
  const found = facts?.cluster ?? {};
  return {
    cluster: cluster.name,
    stack: cluster.stack,
    status,
    seconds: Math.round(seconds * 10) / 10,
    changes,
    ...(error && { error }),
    host: text(found.host),
    kubernetes: text(found.version),
    distribution: text(found.distribution),
    credentials: Object.keys(facts?.credentials ?? {}).length,
  };
}

function credentialsOf({ cluster, facts }: StackResult, now: Date): CredentialReport[] {
  return Object.entries(facts?.credentials ?? {}).map(([name, fields]) => {
    const [notAfter, renewAfter] = [text(fields.notAfter), text(fields.renewAfter)];
    return {
      cluster: cluster.name,
      stack: cluster.stack,
      name,
      kind: text(fields.kind),
      subject: text(fields.subject),
      fingerprint: text(fields.fingerprint),
      notBefore: text(fields.notBefore),
      notAfter,
      renewAfter,
      condition: conditionOf(notAfter, renewAfter, now),
    };
  });
}

function conditionOf(notAfter: string, renewAfter: string, now: Date): Condition {
  if (notAfter === "") return "endless";
  if (Date.parse(notAfter) <= now.getTime()) return "expired";
  return renewAfter !== "" && Date.parse(renewAfter) <= now.getTime() ? "due" : "valid";
}

function soonestFirst(a: CredentialReport, b: CredentialReport): number {
  const end = ({ notAfter }: CredentialReport) => (notAfter === "" ? Number.POSITIVE_INFINITY : Date.parse(notAfter));
  const [first, second] = [end(a), end(b)];
  if (first !== second) return first < second ? -1 : 1;
  return `${a.cluster} ${a.name}` < `${b.cluster} ${b.name}` ? -1 : 1;
}

/** Secrets and what is not known yet are objects or absent: neither is a text to show. */
function text(value: Value | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
