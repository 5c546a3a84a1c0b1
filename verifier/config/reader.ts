import { parseRule } from "../rules/allowList.ts";
import { type SettingName, settingOf } from "./settings.ts";
import type { Value, Values } from "./sources.ts";

/** Typed access to values, with the defaults of the settings. */
export interface Reader {
  find(name: SettingName): string | undefined;
  findNumber(name: SettingName): number | undefined;
  text(name: SettingName): string;
  number(name: SettingName): number;
  list(name: SettingName): readonly string[];
}

export function reader(values: Values): Reader {
  const value = (name: SettingName): Value | undefined => values[name] ?? settingOf(name).default;
  return {
    find: (name) => value(name) as string | undefined,
    findNumber: (name) => value(name) as number | undefined,
    text: (name) => value(name) as string,
    number: (name) => value(name) as number,
    list: (name) => (value(name) ?? []) as readonly string[],
  };
}

/** Rules of an `allow` list. */
export function rulesOf(get: Reader) {
  return get.list("allow").map(parseRule);
}
