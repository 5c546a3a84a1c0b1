import type * as pulumi from "@pulumi/pulumi";

/**
 * Maps a namespace name to the component that creates it. An object that gets its namespace from `nameOf` depends on that component. Pulumi
 * creates the object after the namespace and deletes it before the namespace.
 */
export class NamespaceOwners {
  readonly #names = new Map<string, pulumi.Output<string>>();

  /** The first component to register a name owns it. */
  register(name: string | undefined, owner: { readonly namespace: pulumi.Output<string> } | undefined): void {
    if (name && owner && !this.#names.has(name)) this.#names.set(name, owner.namespace);
  }

  /** The same name, as an output of the namespace's owner if it has one. */
  nameOf<Name extends string | undefined>(name: Name): Name | pulumi.Output<string> {
    return (name && this.#names.get(name)) ?? name;
  }
}
