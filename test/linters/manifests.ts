import { openStack, withoutSecrets } from "../../engine/index.ts";
import { decryptSecrets } from "../../engine/state.ts";
import type { Value } from "../../engine/values.ts";
import type { KubeObject } from "../../kube/index.ts";
import type { TestStack } from "../support/stack.ts";

/** Every Kubernetes object that a stack has deployed, as the program gave it to the provider and not as the cluster completed it. */
export async function manifestsOf(stack: TestStack): Promise<KubeObject[]> {
  const { checkpoint, crypters } = await openStack(stack.options());
  const { resources = [] } = decryptSecrets(checkpoint?.deployment ?? {}, (await crypters()).state);
  return resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs = {} }) => {
      const own = Object.entries(inputs).filter(([key]) => !key.startsWith("__"));
      return withoutSecrets(Object.fromEntries(own) as Value) as KubeObject;
    });
}
