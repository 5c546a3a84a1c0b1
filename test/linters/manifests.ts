import type { KubeObject } from "../../kubernetes/index.ts";
import type { TestStack } from "../support/pulumi/stack.ts";

/** The mark of a secret in a stack's export, and the field that holds its value as JSON. */
interface ExportedSecret {
  readonly "4dabf18193072939515e22adb298388d": string;
  readonly plaintext: string;
}

/** Every Kubernetes object that a stack has deployed, as the program gave it to the provider and not as the cluster completed it. */
export async function manifestsOf(stack: TestStack): Promise<KubeObject[]> {
  const { deployment } = JSON.parse(await stack.command("stack", "export", "--show-secrets")) as {
    deployment: { resources: { type: string; inputs?: object }[] };
  };
  return deployment.resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs = {} }) => {
      const own = Object.entries(inputs).filter(([key]) => !key.startsWith("__"));
      return open(Object.fromEntries(own)) as KubeObject;
    });
}

function open(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(open);
  if (typeof value !== "object" || value === null) return value;
  if ("4dabf18193072939515e22adb298388d" in value) return JSON.parse((value as ExportedSecret).plaintext);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, open(item)]));
}
