import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";

export const rancher = {
  RANCHER_KEY_REFUSED: {
    meaning: "The Rancher server does not accept the API key.",
    remedy:
      "Check that the key has not expired (by default after about 90 days), and that its scope is empty or the cluster in `rancherClusterId`. Then set `rancherApiKey` to a valid key.",
  },
  RANCHER_MAY_NOT_REVIEW: {
    meaning: "The user of the API key lacks the right to create TokenReviews in the cluster.",
    remedy: "Give that user a role in the cluster that grants `create` on `tokenreviews.authentication.k8s.io`.",
  },
  RANCHER_CLUSTER_UNKNOWN: {
    meaning: "The server is not a Rancher server, or has no cluster with this id.",
    remedy:
      "Set `rancherUrl` to the root URL of the server, and `rancherClusterId` to the id in the address of the cluster's page (`c-…`, `c-m-…`, `local`).",
  },
  RANCHER_NOT_IMPORTABLE: {
    meaning: "`pulumi import` cannot import a `RancherKey`. Rancher shows a key only once, when it is created.",
    remedy: "Declare the resource in the program and run `pulumi up`.",
  },
} satisfies Partial<Record<ProviderErrorCode, ErrorText>>;
