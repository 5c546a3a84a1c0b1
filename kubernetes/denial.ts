import { refusedUser } from "./anonymous.ts";

/** Why the API server, or a proxy before it, answered 403, and what to do. `by` starts the first sentence of the error. */
export interface Denial {
  readonly code: "KUBE_FORBIDDEN" | "KUBE_DENIED";
  readonly by: string;
  readonly remedy: string;
}

interface Kind extends Omit<Denial, "code"> {
  readonly message: RegExp;
}

/** Denials of admission, by their messages in Kubernetes. Admission runs after authorization, so no role helps. */
const admission: readonly Kind[] = [
  {
    message: /admission webhook ".*" denied the request/,
    by: "An admission webhook denied",
    remedy: "Meet the rule that the message names, or ask the owner of the webhook for an exception.",
  },
  {
    message: /ValidatingAdmissionPolicy '.*' with binding '.*' denied request/,
    by: "An admission policy denied",
    remedy: "Meet the rule that the message names, or ask the owner of the policy for an exception.",
  },
  {
    message: /exceeded quota|failed quota/,
    by: "A ResourceQuota denied",
    remedy: "Delete objects that are not needed, or raise the quota of the namespace.",
  },
  {
    message: /violates PodSecurity/,
    by: "Pod Security admission denied",
    remedy: "Meet the security level of the namespace, or use another namespace.",
  },
  {
    message: /because it is being terminated/,
    by: "The namespace is being deleted, which denied",
    remedy: "Wait until the namespace is gone, or use another one.",
  },
];

/** Missing rights that Kubernetes does not describe by verb and resource. */
const missingRight = /user not permitted to|is attempting to grant RBAC permissions not currently held/;

/**
 * Finds the reason of a 403.
 *
 * @param serverMessage message of the Status; undefined for an answer without one
 */
export function denialOf(serverMessage: string | undefined): Denial {
  if (serverMessage === undefined) {
    return {
      code: "KUBE_DENIED",
      by: "Something that is not an API server (a proxy, a gateway or a firewall) denied",
      remedy: "Use an address that leads directly to the API server, or allow this request on the way.",
    };
  }
  const kind = admission.find(({ message }) => message.test(serverMessage));
  if (kind !== undefined) return { code: "KUBE_DENIED", by: kind.by, remedy: kind.remedy };
  const by = "The API server does not allow";
  const user = refusedUser(serverMessage);
  if (user !== undefined) {
    return { code: "KUBE_FORBIDDEN", by, remedy: `Grant this right to "${user}", or use credentials that have it.` };
  }
  if (missingRight.test(serverMessage)) {
    return { code: "KUBE_FORBIDDEN", by, remedy: "Grant the right that the message names." };
  }
  return {
    code: "KUBE_DENIED",
    by: "The API server or an admission plugin denied",
    remedy: "The message names no missing right. It states what the server does not accept.",
  };
}
