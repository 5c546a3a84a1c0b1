import type { Section } from "./fault.ts";

const outage = "unit/verifier/review/reviewOutage.test.ts";
const rotation = "unit/verifier/keys/keyRotation.test.ts";
const http = "unit/verifier/http/http.test.ts";
const discovery = "unit/verifier/keys/discovery.test.ts";

export const verifiers: Section = {
  title: "The verifier",
  faults: [
    {
      fault: "A forged, damaged or unusual token",
      behaviour: "It is refused with 401, and never causes an error of the verifier.",
      tests: [
        [
          "process/verifier/fuzz.test.ts",
          "whatever a trusted issuer signs gets a decision, and never an error of the verifier's",
        ],
        [
          "process/verifier/fuzz.test.ts",
          "a good token with any of its characters exchanged, taken out or doubled is refused",
        ],
        [
          "unit/properties/tokens.test.ts",
          "accepts a text if and only if it is three parts that are encoded from their own bytes",
        ],
      ],
    },
    {
      fault: "A pod or ServiceAccount is deleted",
      behaviour: "Its token is refused after the review's cache time and the API server's 10 s at the latest.",
      tests: [
        [
          "cluster/verifier/component.test.ts",
          "is refused within the review cache's time and the API server's 10 s by hybrid and tokenreview, and not seen by JWT modes",
        ],
      ],
    },
    {
      fault: "The API server is killed or hangs",
      behaviour:
        "`oidc-discovery` and `jwt-pubkey` continue; `hybrid` and `tokenreview` answer 503, and never 200 or 401.",
      tests: [
        [
          "cluster/verifier/outage.test.ts",
          "stops no local mode, and makes reviews answer 503, never 401 and never 200, until 2 s after its return",
        ],
      ],
    },
    {
      fault: "A replica of the API server, or of the service, is lost without a word: open connections get no answer",
      behaviour: "One timeout closes the idle connections, so the next attempt has a new one.",
      tests: [
        [
          "unit/verifier/keys/discovery.test.ts",
          "lost connections to a server cost one timeout, however many are idle",
        ],
        ["unit/verifier/client.test.ts", "tries once more after a timeout, on a new connection, however many are idle"],
      ],
    },
    {
      fault: "The API server rejects reviews (401, 403, 404, 429, HTML, TLS)",
      behaviour: "This is not an outage: no token is accepted without a review, and the verifier is not ready.",
      tests: [
        [outage, "%s in place of a review is no outage"],
        [outage, "an API server whose certificate is not of the CA is no outage: local refuses, and says why"],
      ],
    },
    {
      fault: "The answer to a review has unexpected content",
      behaviour: "A caller is accepted only if the API server authenticated it for the audience.",
      tests: [
        [
          "unit/properties/tokens.test.ts",
          "a review accepts no caller that the API server did not authenticate for one of the audiences, whatever it answers",
        ],
        ["unit/verifier/review/review.test.ts", "%s is no yes"],
      ],
    },
    {
      fault: "The verifier's own token is rotated or refused",
      behaviour: "It reads the file again, and distinguishes its own 401 from a caller's.",
      tests: [
        [
          "cluster/verifier/component.test.ts",
          "its token is read again when the API server does not take the old one any more",
        ],
      ],
    },
    {
      fault: "The issuer rotates, withdraws or breaks its keys",
      behaviour: "New keys are used, withdrawn ones are not, and known ones stay in use while the source fails.",
      tests: [
        [rotation, "keys that change at the issuer"],
        ["cluster/verifier/outage.test.ts", "while the issuer's key is rotated no good token is refused"],
      ],
    },
    {
      fault: "Discovery redirects, does not end, or names another issuer or an `http` URL of keys",
      behaviour: "Its keys are not used.",
      tests: [
        [discovery, "a redirect (%i) is not followed"],
        [discovery, "an answer that never ends is cut off"],
        [discovery, "a document of another issuer is refused: its keys could be anyone's"],
      ],
    },
    {
      fault: "Two clusters claim the same issuer",
      behaviour: "Keys of a learned issuer are refused if another entry has this issuer.",
      tests: [
        [
          "unit/verifier/config/severalIssuers.test.ts",
          "a cluster whose discovery document names the issuer of another entry",
        ],
      ],
    },
    {
      fault: "The wall clock is set back or forward",
      behaviour: "No revoked token is accepted, and no key becomes unusable.",
      tests: [
        ["unit/verifier/clocks.test.ts", "a wall clock that is set back an hour"],
        ["unit/verifier/clocks.test.ts", "a wall clock that is set 26 hours forward, as after a pause of the machine"],
      ],
    },
    {
      fault: "A flood of forged tokens",
      behaviour: "Valid tokens are still reviewed, and memory stays bounded.",
      tests: [
        [
          "process/verifier/flood.test.ts",
          "100,000 distinct forged tokens make no review, push out no good entry, and take no memory",
        ],
        [
          "process/verifier/fairness.test.ts",
          "tokens that were good lately are reviewed before a flood of forged ones, and none of them is refused",
        ],
      ],
    },
    {
      fault: "A flood of connections, slow or idle, with or without TLS",
      behaviour: "The verifier stays ready within its memory limit, and answers valid tokens.",
      tests: [
        [
          "node/verifierFlood.test.ts",
          "$what from 100 addresses leave the verifier alive, ready, and with an answer for a good token",
        ],
        [
          "node/verifierFlood.test.ts",
          "one address with 5,000 connections gets half of the places, and callers from others are answered",
        ],
      ],
    },
    {
      fault: "Smuggled, doubled or malformed headers and requests",
      behaviour: "They are refused, and the connection is closed.",
      tests: [
        [http, "requests made to do harm"],
        ["process/verifier/timeouts.test.ts", "requests that never finish"],
      ],
    },
    {
      fault: "Files of certificate, key, CA or token are missing, incomplete or replaced",
      behaviour: "The last valid content stays in use, and the verifier waits for a file that is mounted late.",
      tests: [
        ["process/verifier/lifecycle.test.ts", "a replacement that is only half there, or none, leaves the last one"],
        [
          "process/verifier/lifecycle.test.ts",
          "its own token and CA that are mounted late are waited for, by name and without an answer but 503",
        ],
      ],
    },
    {
      fault: "SIGTERM under load",
      behaviour: "No request is lost.",
      tests: [
        [
          "process/verifier/lifecycle.test.ts",
          "under load loses no request: unready at once, answers to the end, then exit status 0",
        ],
      ],
    },
    {
      fault: "The verifier of a gateway is unavailable, slow or busy",
      behaviour: "NGINX, Caddy and Traefik refuse the call, and never forward it.",
      tests: [
        [
          "cluster/verifier/forwardAuthOutage.test.ts",
          "never opens the door without a verifier, and works again once there is one",
        ],
        [
          "cluster/verifier/forwardAuthOutage.test.ts",
          "refuses where the verifier ends the connection or stays silent",
        ],
      ],
    },
    {
      fault: "A client of a gateway sends identity headers",
      behaviour: "The gateway replaces or removes them.",
      tests: [["cluster/verifier/forwardAuth.test.ts", "replaces or strips what a caller says of itself"]],
    },
    {
      fault: "A server repeats a token in its answer",
      behaviour: "No part of the token is in the verifier's answer, log or metrics.",
      tests: [
        [
          "cluster/faults/canary.test.ts",
          "of callers and of the verifier in its answers, log, metrics and environment",
        ],
        ["unit/properties/tokens.test.ts", "hold no eight characters of the token in a row, however it is repeated"],
      ],
    },
  ],
};
