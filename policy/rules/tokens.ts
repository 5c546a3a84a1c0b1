/** Tokens of ServiceAccounts. */
import type { Policies } from "@pulumi/policy";
import { isSecret, matches, type ObjectMeta } from "../kubernetes.ts";
import { ofType, resourceRule, stackRule } from "../rule.ts";
import { each, present } from "../unknowns.ts";
import { reviewers } from "./reviewers.ts";

const day = 24 * 3600;
const secretTokens = "https://kubernetes.io/docs/concepts/security/service-accounts/#get-a-token";
const isReviewerToken = ofType("k8sauth:index:ReviewerToken");

interface Secret {
  readonly metadata?: ObjectMeta;
  readonly type?: string;
}

function isTokenSecret(props: object): boolean {
  return (props as Secret).type === "kubernetes.io/service-account-token";
}

const tokenSecretForReviewers = resourceRule<{ reviewers: readonly string[] }>({
  name: "token-secret-for-reviewers",
  level: "mandatory",
  severity: "high",
  description: "Only reviewers have token Secrets.",
  reason: "Such a token never expires, and every user who may read the Secret has it.",
  remedy:
    "Use a token that expires (tokenMode: tokenRequest, the default of k8sauth:bearerTokenUsers), or a projected one in a pod.",
  url: secretTokens,
  tags: ["token"],
  settings: { reviewers },
  appliesTo: isSecret,
  check: ({ props }, report, settings) => {
    if (!isTokenSecret(props)) return;
    const account = (props as Secret).metadata?.annotations?.["kubernetes.io/service-account.name"] ?? "";
    if (!matches(account, settings.reviewers)) report(`It holds a token of the ServiceAccount ${account}.`);
  },
});

const tokenSecretDiscouraged = resourceRule({
  name: "token-secret-discouraged",
  level: "advisory",
  severity: "medium",
  description: "Tokens expire.",
  reason: "The token of a Secret does not expire: a leaked one is valid until the Secret is deleted.",
  remedy: "Set k8sauth:tokenMode to tokenRequest, and schedule runs of up that renew it.",
  url: secretTokens,
  tags: ["token", "reviewer"],
  appliesTo: isSecret,
  check: ({ props }, report) => {
    if (isTokenSecret(props)) report("It holds a token that does not expire.");
  },
});

const tokenLifetime = resourceRule<{ maxDays: number }>({
  name: "token-lifetime",
  level: "mandatory",
  severity: "medium",
  description: "Requested tokens have a bounded lifetime.",
  reason: "A leaked token is valid until it expires.",
  remedy:
    "Choose a shorter lifetime (k8sauth:tokenExpirationSeconds, or tokenExpirationSeconds of the user in k8sauth:bearerTokenUsers); up renews the token in time.",
  url: "https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/",
  tags: ["token"],
  settings: { maxDays: { type: "integer", description: "Longest lifetime, in days.", default: 30, minimum: 1 } },
  appliesTo: isReviewerToken,
  check: ({ props }, report, { maxDays }) => {
    const { mode, expirationSeconds = 30 * day } = props as { mode?: string; expirationSeconds?: number };
    if (mode !== "tokenRequest" || expirationSeconds <= maxDays * day) return;
    report(`It asks for ${expirationSeconds} seconds, which is more than ${maxDays} days.`);
  },
});

interface Audience {
  readonly audience?: string;
  /** Whether the API server itself accepts the workloads' tokens. */
  readonly audienceAcceptedByDefault?: boolean;
}

const workloadAudience = stackRule({
  name: "workload-audience",
  level: "advisory",
  severity: "medium",
  description: "Workloads log in with tokens for a separate audience of the gateway.",
  reason:
    "A token for the API server's audience is valid there too: a program that receives it can act as the workload.",
  remedy:
    "Set k8sauth:audience to a name that is not in the API server's --api-audiences, and project tokens for it into the workloads. Akeyless and Consul need an audience of the API server: disable this policy for them.",
  url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection",
  tags: ["token", "reviewer"],
  checkStack: (subjects, report) =>
    each(
      subjects.filter(({ type }) => isReviewerToken(type)),
      (subject) => {
        const { audience, audienceAcceptedByDefault } = subject.props as Audience;
        if (!present(audienceAcceptedByDefault, "audienceAcceptedByDefault")) return;
        const which = audience
          ? `the audience ${audience}, which is one of the API server's`
          : "the API server's own audience";
        report(`The reviewer ${subject.name} reviews tokens for ${which}.`, subject);
      },
    ),
});

export const tokenRules: Policies = [tokenSecretForReviewers, tokenSecretDiscouraged, tokenLifetime, workloadAudience];
