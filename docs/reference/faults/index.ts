/** The table of faults: what may go wrong, what is to happen then, and the tests that prove it. docs/faults.md comes from it. */
import { certificates } from "./certificates.ts";
import { clusters } from "./clusters.ts";
import type { Section } from "./fault.ts";
import { gateways } from "./gateways.ts";
import { runs } from "./runs.ts";
import { tokens } from "./tokens.ts";
import { verifiers } from "./verifiers.ts";

export const sections: readonly Section[] = [tokens, certificates, clusters, runs, gateways, verifiers];

export const allFaults = sections.flatMap(({ faults }) => faults);
