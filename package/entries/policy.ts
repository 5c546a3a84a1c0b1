/** The policies, for your own policy pack. */
export { makePolicies, policies } from "../../policy/policies.ts";
