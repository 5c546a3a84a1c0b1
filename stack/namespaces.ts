import type * as pulumi from "@pulumi/pulumi";

/**
 * Namespaces by name, as what may make them knows them: their names then carry the dependency, and what lives in such a
 * namespace is made after it and deleted before it.
 */
export class Homes {
  readonly #known = new Map<string, pulumi.Output<string>>();

  /** The first who names one is who makes it. */
  add(name: string | undefined, maker: { readonly namespace: pulumi.Output<string> } | undefined): void {
    if (name && maker && !this.#known.has(name)) this.#known.set(name, maker.namespace);
  }

  of<Name extends string | undefined>(name: Name): Name | pulumi.Output<string> {
    return (name && this.#known.get(name)) ?? name;
  }
}
