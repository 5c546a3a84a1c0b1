import type { GatewayInputError } from "../../../gateways/access.ts";
import type { ErrorText } from "./text.ts";

export const gateways: Readonly<Record<GatewayInputError["code"], ErrorText>> = {
  GATEWAY_INPUT_INVALID: {
    meaning:
      "A value does not fit the auth config of the product: it is empty, malformed, or contradicts another value.",
    remedy:
      "Correct the field that the message names. In a stack, most settings are checked for this before anything is created. An issuer that the cluster does not show is known only afterwards.",
  },
};
