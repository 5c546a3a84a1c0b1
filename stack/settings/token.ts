import * as v from "valibot";
import { dnsSubdomain } from "../../components/names.ts";
import { tokenModes } from "../../components/resources/reviewerToken.ts";
import { longestEpoch, type Rotation } from "../../components/rotation.ts";
import { defaultTokenLifetime, shortestLifetime } from "../../kubernetes/lifetimes.ts";
import { type Refuse, refuseImmediateRenewal } from "./read.ts";
import { choice, fields, object, seconds, type Values } from "./setting.ts";

const epochs = `must be at most ${longestEpoch} lower-case letters, digits, dots and dashes`;
const epoch = v.pipe(
  v.string(epochs),
  v.check((value) => value.length <= longestEpoch && dnsSubdomain.test(value), epochs),
);

/** Schema of a rotation. */
export const rotation: v.GenericSchema<unknown, Rotation> = v.pipe(
  fields({
    current: epoch,
    previous: v.optional(v.array(v.union([v.literal(""), epoch], epochs), "must be a list of epochs")),
  }),
  v.check(
    ({ current, previous = [] }) => new Set([current, ...previous]).size === previous.length + 1,
    "names an epoch twice",
  ),
);

/** The reviewer's token, and the rotation of all credentials. */
export const tokenSettings = {
  tokenMode: choice(tokenModes, {
    inputs: ["ReviewerToken.mode"],
    default: "secret",
    description:
      "`secret`: the token of a token Secret, which does not expire. `tokenRequest`: a token that expires and is [renewed](renewal.md) by `pulumi up`; schedule runs. Both are revoked when their Secret is deleted.",
  }),
  tokenExpirationSeconds: seconds(shortestLifetime, {
    inputs: ["ReviewerToken.expirationSeconds"],
    default: defaultTokenLifetime,
    description: "Lifetime of the token with `tokenMode: tokenRequest`. The API server may issue less.",
  }),
  tokenRenewBefore: seconds(1, {
    inputs: ["ReviewerToken.renewBefore"],
    unset: "a third of the lifetime",
    description:
      "Number of seconds before the expiry of the token. `pulumi up` [renews](renewal.md) it from then on. Set it to more than the time between your runs.",
  }),
  rotation: object(rotation, {
    unset: "none",
    example: "rotation.current 2026-q4",
    description:
      'Epochs of all tokens and of the certificate, `{current, previous}`; see [rotation](renewal.md#rotation). A new `current` creates new credentials. Credentials of the epochs in `previous` stay valid until they expire, and are not renewed; `""` stands for those without an epoch.',
  }),
} as const;

/** Refuses contradictions between the settings of the token. */
export function checkToken(values: Values<typeof tokenSettings>, refuse: Refuse): void {
  const { tokenExpirationSeconds, tokenRenewBefore } = values;
  refuseImmediateRenewal(
    ["tokenRenewBefore", tokenRenewBefore],
    ["tokenExpirationSeconds", tokenExpirationSeconds],
    refuse,
  );
}
