import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";

export const token = {
  TOKEN_SECRET_MISSING: {
    meaning: "The Secret that the token is stored in or bound to was deleted after the stack created it.",
    remedy:
      "If the token has leaked, first set another `rotation.current`: a Secret of the same name gets the same token again ([after a leak](leak.md#a-token)). Otherwise run `pulumi up --refresh`. It creates the Secret and the token again.",
  },
  TOKEN_SECRET_OTHER: {
    meaning: "The Secret has another UID than the one that the stack created: it was deleted and created again.",
    remedy: "Run `pulumi up --refresh`.",
  },
  TOKEN_ACCOUNT_MISSING: {
    meaning: "The ServiceAccount was deleted. All its tokens are revoked.",
    remedy: "Run `pulumi up --refresh`. It creates the account and its token again.",
  },
  TOKEN_ACCOUNT_OTHER: {
    meaning:
      "The ServiceAccount has another UID than the one that the stack created: it was deleted and created again.",
    remedy: "Run `pulumi up --refresh`.",
  },
  TOKEN_NOT_FILLED: {
    meaning:
      "The cluster wrote no token into the token Secret in time, although its ServiceAccount exists and the Secret was changed to make the token controller try again.",
    remedy:
      "Check that kube-controller-manager runs with the `serviceaccount-token` controller and that no webhook or policy denies its changes, or set `tokenMode` to `tokenRequest`, which does not need it.",
  },
  TOKEN_MALFORMED: {
    meaning:
      "The token Secret holds something that is not a JWT, or the API server answered a TokenRequest without a token that expires.",
    remedy:
      "For a Secret, delete it and run `pulumi up --refresh`. For a TokenRequest, check that the address leads to an API server, or set `tokenMode` to `secret`.",
  },
  TOKEN_NOT_IMPORTABLE: {
    meaning: "`pulumi import` cannot import a `ReviewerToken`. Its token comes from the cluster when it is created.",
    remedy: "Declare the resource in the program and run `pulumi up`.",
  },
  TOKEN_SUBJECT_OTHER: {
    meaning: "The token Secret, or the answer to a TokenRequest, contains the token of another account.",
    remedy:
      "For a Secret, find what else writes to it. Then delete the Secret and run `pulumi up --refresh`. For a TokenRequest, check that the address leads to an API server.",
  },
  TOKEN_REFUSED: {
    meaning: "The API server does not accept the token at the address that the gateway uses.",
    remedy:
      "Check that `kubernetesHost` leads to the cluster of the kubeconfig, and that it accepts ServiceAccount tokens. The DNS endpoint of GKE and some proxies do not.",
  },
  TOKEN_MAY_NOT_REVIEW: {
    meaning: "The API server accepts the token, but its account lacks the right to create TokenReviews.",
    remedy:
      "If its ClusterRole or binding was deleted or edited, run `pulumi up --refresh`. Otherwise bind the account to a ClusterRole that grants `create` on `tokenreviews.authentication.k8s.io`.",
  },
  TOKEN_MAY_NOT_MINT: {
    meaning: "The deployer lacks the right to create tokens of the ServiceAccount.",
    remedy: "Grant `create` on `serviceaccounts/token` for this account, or set `tokenMode` to `secret`.",
  },
  TOKEN_PROJECTION_OFF: {
    meaning: "The API server cannot issue tokens by TokenRequest, so pods get no projected tokens.",
    remedy:
      "On a cluster that you manage, set `--service-account-issuer`, `--service-account-key-file`, `--service-account-signing-key-file` and `--api-audiences` of the API server. With `tokenMode: secret` the reviewer itself needs none of them.",
  },
  TOKEN_AUDIENCE_REFUSED: {
    meaning: "The API server issues tokens for the audience, but its TokenReview does not accept them.",
    remedy: "Check the options of the API server that the message names, and `audience`.",
  },
} satisfies Partial<Record<ProviderErrorCode, ErrorText>>;
