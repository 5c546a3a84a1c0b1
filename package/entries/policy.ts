/** The policies, for a policy pack of your own. */
export { makePolicies, policies } from "../../policy/policies.ts";
