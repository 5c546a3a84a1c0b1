import type { CheckResult, Created } from "../provider.ts";
import type { Properties } from "../values.ts";

/** A type of resource that exists nowhere but in the state. All of its inputs go into what it makes. */
export interface ResourceType {
  /** Another value of any of them makes another resource. */
  readonly inputs: readonly string[];
  /** Refuses inputs of which nothing can be made. Values that are not known yet are never looked at. */
  check(news: Properties): CheckResult;
  /** The inputs as outputs have them, with what is known without making anything. */
  complete(inputs: Properties): Properties;
  create(inputs: Properties): Promise<Created>;
}
