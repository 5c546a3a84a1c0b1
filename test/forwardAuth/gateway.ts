/** A gateway that asks the verifier about each request: what its tests need to know of a product. */
import type { PathSource } from "../../verifier/rules/routes.ts";
import type { GatewayProcess } from "./process.ts";

/** Host that the examples are for. */
export const host = "orders.example.com";

/** Ports of 127.0.0.1 in place of the addresses in the examples. */
export interface Ports {
  /** Of the verifier, or of what stands before it. */
  readonly verifier: number;
  readonly service: number;
}

export interface Variant {
  /** A path that does not ask the verifier, beside what the example has. */
  readonly publicPath?: string;
  /** Whether the gateway takes header names that read like others, which it does not by default or as the example says. */
  readonly lenient?: boolean;
}

export interface Gateway {
  readonly name: string;
  /** Why it cannot run on this machine. */
  readonly missing: string | undefined;
  /** Where it puts the caller's path: a header, and the value of the verifier's setting `pathFrom`. */
  readonly pathFrom: Exclude<PathSource, "request-line">;
  /** Whether a question has neither the query nor a long path, so that both may be larger than the verifier's limit. */
  readonly bounded: boolean;
  /** Treatment of a request with a header name that resembles that of an identity header. */
  readonly alias: "dropped" | "refused";
  /** Statuses for a caller whose request the verifier does not answer. */
  readonly without: {
    /** No verifier accepts the connection. */
    readonly listener: number;
    /** The verifier ends the connection. */
    readonly answer: number;
    /** The verifier is silent. `undefined`: the product waits for longer than a test should. */
    readonly end: number | undefined;
  };
  /** Headers of a question without those that all gateways send (Authorization, method and path), and the path of its URL as `:path`. */
  readonly question: (verifierPort: number) => Readonly<Record<string, unknown>>;
  /** Starts it with the example's configuration, and waits until it answers. */
  start(ports: Ports, variant?: Variant): Promise<GatewayProcess>;
}

/** The examples name the verifier and the service as a cluster does: the same text with the ports of this machine. */
export function withPorts(text: string, { verifier, service }: Ports): string {
  return replaceOnce(
    replaceOnce(text, "verifier.k8sauth-verifier.svc:8080", `127.0.0.1:${verifier}`),
    "orders.shop.svc:8080",
    `127.0.0.1:${service}`,
  );
}

/** @throws Error where the example does not have the text exactly once */
export function replaceOnce(text: string, part: string, by: string): string {
  const [before, after, ...more] = text.split(part);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`the example does not have ${JSON.stringify(part)} once`);
  return before + by + after;
}
