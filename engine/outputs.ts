import { EngineError } from "./errors.ts";
import { type OpenStack, openStack, type StackOptions } from "./session.ts";
import { decryptSecrets } from "./state.ts";
import { stackType } from "./urn.ts";
import type { Properties } from "./values.ts";

/** The outputs of a stack as last saved; secrets are marked. Throws `STACK_MISSING` for a stack that was never saved. */
export async function stackOutputs(options: StackOptions): Promise<Properties> {
  const stack = await openStack(options);
  const { checkpoint, crypters } = stack;
  if (!checkpoint) throw await missingStack(stack);
  const resources = checkpoint.deployment.resources ?? [];
  const outputs = resources.find((resource) => resource.type === stackType)?.outputs ?? {};
  return decryptSecrets(outputs, (await crypters()).state);
}

/** The error for a stack that was never saved; names those that were. */
export async function missingStack({ backend, name }: OpenStack): Promise<EngineError> {
  const known = await backend.list(name.project);
  return new EngineError(
    "STACK_MISSING",
    `There is no stack "${name.stack}" of the project ${name.project} in ${backend.root}. ` +
      `${known.length > 0 ? `Known: ${known.join(", ")}.` : "There is none yet."} Make it with k8sauth up --stack ${name.stack}.`,
  );
}
