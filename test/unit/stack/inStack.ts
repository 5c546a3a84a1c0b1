import * as pulumi from "@pulumi/pulumi";

/** Names project and stack, and refuses resources: another file of the worker may have named another stack. */
export async function inStack(): Promise<void> {
  const refuse = ({ type }: { readonly type: string }) => {
    throw new Error(`settings create no resource: ${type}`);
  };
  const call = ({ token }: { readonly token: string }) => refuse({ type: token });
  await pulumi.runtime.setMocks({ newResource: refuse, call }, "project", "stack", false, "organization");
}
