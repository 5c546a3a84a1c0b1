import type { Section } from "./fault.ts";

const secrets = "cluster/token/resource.test.ts";
const requests = "cluster/token/requestResource.test.ts";
const waiting = "cluster/token/waiting.test.ts";

export const tokens: Section = {
  title: "Tokens",
  faults: [
    {
      fault: "The token controller fills a token Secret late",
      behaviour: "The run waits for `data.token` itself, and succeeds.",
      tests: [[secrets, "is waited for, proved, and described without being shown"]],
    },
    {
      fault: "The token controller never fills a token Secret",
      behaviour: "The wait ends with an error that proposes `tokenMode: tokenRequest`.",
      tests: [[waiting, "a token that never comes ends the wait, and TokenRequest mode is named"]],
    },
    {
      fault: "A token Secret holds `ca.crt` and no token yet",
      behaviour: "The run continues to wait.",
      tests: [[waiting, "a Secret with ca.crt alone is still waited for"]],
    },
    {
      fault: "The Secret or its ServiceAccount is deleted during the wait",
      behaviour: "The wait ends with an error that names the object.",
      tests: [[waiting, "a %s that is deleted during the wait ends it"]],
    },
    {
      fault: "Another tool creates a Secret with the name",
      behaviour: "The run fails and leaves that Secret alone.",
      tests: [
        [waiting, "a Secret that something else made under the name is refused"],
        [requests, "a Secret that something else made, or that is gone, gets no token bound to it"],
      ],
    },
    {
      fault: "A token Secret holds the token of another account, or text that is not a token",
      behaviour: "The plugin empties the Secret once, and the run fails if the content comes back.",
      tests: [
        [
          waiting,
          "a Secret filled with what is no token, or another account's, is emptied once, and refused if that comes back",
        ],
      ],
    },
    {
      fault: "Another tool deletes the Secret or the ServiceAccount, or creates it again",
      behaviour: "The next preview shows the revoked token as a change, and `up --refresh` replaces it.",
      tests: [
        [secrets, "a token whose %s was deleted is replaced by diff, and gone for read"],
        [
          "cluster/token/drift.test.ts",
          "an object deleted behind our back shows on refresh, and the up after it heals it",
        ],
        ["cluster/token/drift.test.ts", "notices a dead token, and says how to heal it"],
      ],
    },
    {
      fault: "An update of the ServiceAccount makes old Kubernetes versions generate further Secrets",
      behaviour: "The stack never writes the ServiceAccount's list of Secrets.",
      tests: [["cluster/token/flow.test.ts", "makes no token for pods and touches no Secret list of the account"]],
    },
    {
      fault: "An admission policy denies token Secrets",
      behaviour: "The error quotes the policy, and `tokenMode: tokenRequest` passes the same policy.",
      tests: [
        [
          "cluster/faults/admission.test.ts",
          "a policy that denies token Secrets is quoted, and a token by TokenRequest passes it",
        ],
      ],
    },
    {
      fault: "An admission webhook or policy denies a TokenRequest",
      behaviour: "The error quotes the server, and does not advise to grant a right.",
      tests: [[requests, "a server that answers %i is explained"]],
    },
    {
      fault: "The API server cannot issue tokens for workloads",
      behaviour: "The error names the options of the API server to set.",
      tests: [[secrets, "token request projection > a server that answers %d names the options to set"]],
    },
    {
      fault: "The deployer may not create a token to test projection",
      behaviour: "A warning names the right, and the run continues.",
      tests: [[secrets, "a deployer who may not mint is warned, and goes on without an issuer"]],
    },
    {
      fault: "The API server issues a token for a shorter time than requested",
      behaviour: "The date in the answer decides when the token is renewed.",
      tests: [[requests, "the end that the API server answers counts, not the one asked for"]],
    },
    {
      fault: "The reviewer's binding takes effect late",
      behaviour: "The proof is repeated for some seconds, and succeeds.",
      tests: [[secrets, "a token > whose binding comes late is proved when it is there"]],
    },
    {
      fault: "The reviewer has no binding",
      behaviour: "The error names the missing right.",
      tests: [[secrets, "without a binding is refused with the right that it lacks"]],
    },
    {
      fault: "A token is due or has expired",
      behaviour: "A preview says so, and an `up` without options creates the new token before the old one is deleted.",
      tests: [
        [
          "cluster/token/requestMode.test.ts",
          "is announced by a preview once it is due, renewed by a plain up, and stays valid itself",
        ],
        ["process/provider/tokenRenewal.test.ts", "a token that has expired is a warning"],
      ],
    },
    {
      fault: "A token leaks",
      behaviour: "One `up` with another epoch revokes it, and all other credentials stay valid.",
      tests: [
        ["cluster/token/rotation.test.ts", "a leaked token is dead after one up: its epoch is not listed any more"],
      ],
    },
    {
      fault: "A run is killed while it renews a token",
      behaviour: "The next run finishes the renewal, and no second credential stays.",
      tests: [
        ["cluster/token/requestMode.test.ts", "a renewal killed at write %i of the state is finished by a recovery"],
      ],
    },
  ],
};
