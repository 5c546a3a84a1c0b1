import { KubeError } from "../../kubernetes/errors.ts";
import { ProviderError } from "./errors.ts";
import type { CheckFailure } from "./fields.ts";
import type { Log } from "./operation.ts";

/**
 * Names of inputs in messages, such as the names of a program's settings. Keys are `TYPE.INPUT` (`Cluster.host`), or `PARENT$TYPE.INPUT` for
 * children of a component, which has precedence. `{name}` in a value is the resource's name.
 */
export type InputNames = Readonly<Record<string, string>>;

/** Replaces names of a resource's inputs in messages. Messages put an input's name in double quotes. */
export class Wording {
  readonly #names: InputNames;
  readonly #types: readonly string[];
  readonly #resource: string;

  constructor(names: InputNames, urn: string) {
    this.#names = names;
    // urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
    const [, , chain = "", name = ""] = urn.split("::");
    const types = chain.split("$").map((type) => type.split(":").at(-1) ?? "");
    this.#types = [types.slice(-2).join("$"), types.at(-1) ?? ""];
    this.#resource = name;
  }

  /** The name of an input in messages: the input's own name, unless there is another. */
  nameOf(input: string): string {
    const found = this.#types.map((type) => this.#names[`${type}.${input}`]).find((name) => name !== undefined);
    return found?.replaceAll("{name}", this.#resource) ?? input;
  }

  /** Replaces the names in a message. */
  text(message: string): string {
    return message.replaceAll(/"(\w+)((?:\.\w+|\[\d+\])*)"/g, (quoted, input: string, within: string) => {
      const name = this.nameOf(input);
      return name === input ? quoted : `${name}${within}`;
    });
  }

  failure({ property, reason }: CheckFailure): CheckFailure {
    return { property: this.nameOf(property), reason: this.text(reason) };
  }

  /** Replaces the names in the message of a ProviderError or KubeError. Other errors stay as they are. */
  error(error: unknown): unknown {
    if (error instanceof ProviderError || error instanceof KubeError) error.message = this.text(error.message);
    return error;
  }

  log(log: Log): Log {
    return {
      debug: (message) => log.debug(this.text(message)),
      info: (message) => log.info(this.text(message)),
      warn: (message) => log.warn(this.text(message)),
      status: (message) => log.status(this.text(message)),
    };
  }
}
