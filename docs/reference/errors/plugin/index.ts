import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";
import { akeyless } from "./akeyless.ts";
import { certificate } from "./certificate.ts";
import { cluster } from "./cluster.ts";
import { rancher } from "./rancher.ts";
import { token } from "./token.ts";

export const plugin: Readonly<Record<ProviderErrorCode, ErrorText>> = {
  ...cluster,
  ...token,
  ...certificate,
  ...rancher,
  ...akeyless,
  TYPE_UNKNOWN: {
    meaning: "A program asked for a resource type, a component or a function that the plugin does not have.",
    remedy:
      "Use a type that the message lists, and the plugin of the same version as the program. `pulumi package get-schema ./provider` prints all types.",
  },
  CANCELLED: {
    meaning: "Pulumi or the user cancelled the operation while the plugin was working or waiting.",
    remedy:
      "Run `pulumi up` again. [State](state.md#a-run-that-is-interrupted) describes what the cancelled run can leave.",
  },
  INTERNAL: {
    meaning: "The plugin met an error that it does not expect. The message has its stack trace, without credentials.",
    remedy: "Run the command again. If the error returns, report it with the message: it is a defect of the plugin.",
  },
};
