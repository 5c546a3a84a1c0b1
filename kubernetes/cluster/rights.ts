import type { KubeClient } from "../client.ts";
import { pathFor } from "../paths.ts";

/** A right in the terms of a SelfSubjectAccessReview. */
export interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** Without it: in the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
  /** Instead of a resource: a path of the API server. */
  readonly nonResourcePath?: string;
}

/** Asks the API server which of the rights the client's user lacks, each one once. @throws KubeError */
export async function missingRights(client: KubeClient, rights: readonly Right[]): Promise<Right[]> {
  const distinct = [...new Map(rights.map((right) => [describeRight(right), right])).values()];
  const answers = await Promise.all(distinct.map((right) => mayI(client, right)));
  return distinct.filter((_, index) => !answers[index]);
}

async function mayI(client: KubeClient, right: Right): Promise<boolean> {
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

/** A right in words: "create tokenreviews.authentication.k8s.io in the whole cluster". */
export function describeRight(right: Right): string {
  if (right.nonResourcePath !== undefined) return `${right.verb} ${right.nonResourcePath}`;
  const resource = `${right.resource ?? "*"}${right.subresource ? `/${right.subresource}` : ""}${right.group ? `.${right.group}` : ""}`;
  const name = right.name ? ` "${right.name}"` : "";
  return `${right.verb} ${resource}${name} in ${right.namespace ? `namespace ${right.namespace}` : "the whole cluster"}`;
}
