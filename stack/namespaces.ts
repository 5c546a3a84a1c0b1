import type * as pulumi from "@pulumi/pulumi";

/**
 * Maps a namespace name to the component that creates it. An object that gets the name from here depends on that component: it is
 * created after the namespace and deleted before it.
 */
export class NamespaceOwners {
  readonly #names = new Map<string, pulumi.Output<string>>();

  /** The first component to register a name owns it. */
  register(name: string | undefined, owner: { readonly namespace: pulumi.Output<string> } | undefined): void {
    if (name && owner && !this.#names.has(name)) this.#names.set(name, owner.namespace);
  }

  /** The namespace's name: an output of its owner, if it has one. */
  nameOf<Name extends string | undefined>(name: Name): Name | pulumi.Output<string> {
    return (name && this.#names.get(name)) ?? name;
  }
}
