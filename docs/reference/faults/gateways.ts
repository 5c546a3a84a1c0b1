import type { Section } from "./fault.ts";

const api = "unit/provider/akeyless/api.test.ts";
const config = "unit/provider/akeyless/authConfig.test.ts";
const method = "unit/provider/akeyless/authMethod.test.ts";
const token = "cluster/akeyless/token.test.ts";
const rancher = "cluster/cluster/rancher.test.ts";
const certificate = "unit/provider/akeyless/certificate.test.ts";

export const gateways: Section = {
  title: "Gateways",
  faults: [
    {
      fault: "The gateway fails in the middle of a rotation or renewal",
      behaviour: "The old config stays valid, and the next `up` finishes.",
      tests: [
        [
          "cluster/token/rotation.test.ts",
          "a push that is refused leaves the old token alive and pushed, and the next up finishes",
        ],
        [
          "cluster/akeyless/renewal.test.ts",
          "a renewal that the gateway does not take leaves both old ones working, and the next up finishes",
        ],
        [token, "that the gateway does not take leaves the old one working, and the next up finishes"],
      ],
    },
    {
      fault: "The gateway's answer is lost",
      behaviour: "The next run finds what was done, and nothing is created twice.",
      tests: [
        [token, "of which the gateway's answer was lost is found there by the next up"],
        [config, "whose answer was lost is found by the next one, and nothing is created twice"],
        [api, "a creation is not repeated after %s: its result is unknown"],
      ],
    },
    {
      fault: "A login by the new config is refused",
      behaviour: "The previous config is restored.",
      tests: [["cluster/akeyless/certificate.test.ts", "brings the config before back where it is refused"]],
    },
    {
      fault: "The gateway cannot be asked for the login that proves a config",
      behaviour: "The new config stays, and the error says so.",
      tests: [
        [
          "cluster/akeyless/certificate.test.ts",
          "names the gateway's Configuration Manager with its path, and takes back nothing if the URL is wrong",
        ],
      ],
    },
    {
      fault: "The gateway accepts a config and stores another one",
      behaviour: "Reading it back shows the difference, and the previous config is restored.",
      tests: [[config, "that the gateway does not take as sent brings the config before it back"]],
    },
    {
      fault: "A config, auth method, role or certificate that is not the stack's has the name",
      behaviour: "The run fails, and that object stays as it is.",
      tests: [
        [config, "refuses a name that somebody else has, and leaves theirs as it is"],
        [method, "of somebody else is left alone"],
        [certificate, "of a killed run is taken over, another one's is not"],
        ["unit/provider/akeyless/role.test.ts", "that exists and %s is left alone"],
      ],
    },
    {
      fault: "A run is killed after it created an object of the account",
      behaviour: "The next run takes it over.",
      tests: [
        [method, "of a killed run is taken over if it has our key"],
        [
          "unit/provider/akeyless/roleAssociation.test.ts",
          "of a killed run is taken over, so that the role is not granted twice",
        ],
        ["unit/provider/akeyless/role.test.ts", "of a killed run is taken over"],
      ],
    },
    {
      fault: "Another user or tool changes or deletes a pushed object",
      behaviour: "A refresh reports it, and the next `up` reverts it.",
      tests: [
        [token, "drift"],
        [config, "shows that somebody changed %s, and the next update heals it"],
        [method, "a change of %s by somebody else shows on refresh and is healed"],
      ],
    },
    {
      fault: "400, 401, 403, 404, 409, 429, 5xx, a redirect, a wrong port, HTML",
      behaviour: "Each is a separate error that says what to do.",
      tests: [
        [api, "an answer that is %s is an error of its own kind, and not tried again"],
        [api, "an error that is %s says what to do"],
      ],
    },
    {
      fault: "JSON with other types than in an answer of Akeyless",
      behaviour: "The run fails with an error that names the field.",
      tests: [["unit/properties/akeyless.test.ts", "a server that answers one command with something else"]],
    },
    {
      fault: "The gateway repeats a credential in its error message",
      behaviour: "Credentials are removed from the message.",
      tests: [
        [
          "cluster/faults/canary.test.ts",
          "of what a gateway and its account are sent, when they fail and repeat all of it",
        ],
        [
          "unit/properties/akeyless.test.ts",
          "returns an object or an error with a code, whatever the server answers, and repeats nothing that it was sent",
        ],
      ],
    },
    {
      fault: "The session of the deployer expires, or credentials are missing",
      behaviour: "The plugin logs in again once, or names the variables to set.",
      tests: [
        ["unit/provider/akeyless/login.test.ts", "logs in again when the session has ended, once"],
        [token, "without credentials in the environment the up fails and says which; nothing is created"],
      ],
    },
    {
      fault: "The name of an object is spelt without its leading slash",
      behaviour: "It is the same object.",
      tests: [["unit/provider/akeyless/names.test.ts", "does not change when a name is spelt the other way"]],
    },
    {
      fault: "The stack moves to another account or another URL of the same account",
      behaviour: "Missing objects are created, and objects of the same account are not deleted.",
      tests: [
        ["unit/provider/akeyless/names.test.ts", "stays the same object if that is the same account"],
        [
          "unit/provider/akeyless/names.test.ts",
          "is created if that is another account, with a warning about the one that stays",
        ],
      ],
    },
    {
      fault: "No Event Forwarder delivers the expiry notices",
      behaviour: "A warning says why.",
      tests: [[certificate, "warns that its notices may have no recipient"]],
    },
    {
      fault: "The Rancher key is no longer valid, or its user may not review tokens",
      behaviour: "The run fails before the gateway gets it, and names the right that is missing.",
      tests: [
        [rancher, "a new key that is dead does not reach the gateway, where the old one goes on"],
        [rancher, "a key that died since stops the next up and preview with what to do"],
        [rancher, "a key whose user may not review is refused with the right's name"],
      ],
    },
    {
      fault: "Rancher answers something else",
      behaviour: "The run fails with an error that has a code and does not show the key.",
      tests: [["unit/properties/clusterAnswers.test.ts", "a Rancher server that answers something else"]],
    },
    {
      fault: "The reviewer's token is revoked, and Vault still uses it",
      behaviour: "No login succeeds until Vault has the config of the next `up`.",
      tests: [
        [
          "cluster/examples/vault.test.ts",
          "refuses all logins once the reviewer is dead, and accepts them with the config of the next up",
        ],
      ],
    },
    {
      fault: "A workload has a token for somebody else, a forged one, or one of a deleted account",
      behaviour: "No gateway logs it in.",
      tests: [
        ["cluster/examples/vault.test.ts", "does not log in a workload whose token has another audience"],
        ["cluster/examples/vault.test.ts", "does not log in a workload whose account is gone"],
        [
          token,
          "who may not log in is refused: another namespace, another access id, a forged token, a deleted account",
        ],
      ],
    },
  ],
};
