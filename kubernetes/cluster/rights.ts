import type { KubeClient } from "../client.ts";
import { pathFor } from "../paths.ts";

/** A right in the terms of a SelfSubjectAccessReview. */
export interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** @default the whole cluster */
  readonly namespace?: string;
  readonly name?: string;
  /** Path of the API server, instead of a resource. */
  readonly nonResourcePath?: string;
}

/** Returns the rights that the client's user lacks. Each different right is one SelfSubjectAccessReview. @throws KubeError */
export async function missingRights(client: KubeClient, rights: readonly Right[]): Promise<Right[]> {
  const distinct = [...new Map(rights.map((right) => [describeRight(right), right])).values()];
  const answers = await Promise.all(distinct.map((right) => isAllowed(client, right)));
  return distinct.filter((_, index) => !answers[index]);
}

async function isAllowed(client: KubeClient, right: Right): Promise<boolean> {
  const { verb, nonResourcePath, ...resource } = right;
  const spec =
    nonResourcePath === undefined
      ? { resourceAttributes: { verb, ...resource } }
      : { nonResourceAttributes: { verb, path: nonResourcePath } };
  const review = await client.create<{ status?: { allowed?: boolean } }>(
    pathFor("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec },
    { safe: true },
  );
  return review.status?.allowed === true;
}

/** Describes a right: "create tokenreviews.authentication.k8s.io in the whole cluster". */
export function describeRight(right: Right): string {
  if (right.nonResourcePath !== undefined) return `${right.verb} ${right.nonResourcePath}`;
  const resource = `${right.resource ?? "*"}${right.subresource ? `/${right.subresource}` : ""}${right.group ? `.${right.group}` : ""}`;
  const name = right.name ? ` "${right.name}"` : "";
  return `${right.verb} ${resource}${name} in ${right.namespace ? `namespace ${right.namespace}` : "the whole cluster"}`;
}
