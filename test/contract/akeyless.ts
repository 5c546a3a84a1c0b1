/** Fields of the plugin's calls in the official SDK, frozen with its version. */
import { readFileSync } from "node:fs";

export interface Route {
  /** Model of the body. */
  readonly request: string;
  /** Model of the answer; "Object" for one that the SDK does not describe. */
  readonly answer: string;
}

export interface Model {
  readonly required: readonly string[];
  /** By name: `string`, `number`, `boolean`, `date`, `object`, the name of a model, `[TYPE]` or `{TYPE}`. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Contract {
  readonly package: string;
  readonly version: string;
  readonly published: string;
  readonly routes: Readonly<Record<string, Route>>;
  readonly models: Readonly<Record<string, Model>>;
}

export const contract = JSON.parse(readFileSync(new URL("akeyless.json", import.meta.url), "utf8")) as Contract;

/** Every way in which a body is not what the SDK would send for the command. */
export function bodyFaults(command: string, body: object): string[] {
  const route = contract.routes[command];
  if (route === undefined) return [`${command} is not a command of the SDK's list`];
  return modelFaults(route.request, body, command);
}

/** Every way in which an answer is not what the SDK would read. */
export function answerFaults(command: string, answer: object): string[] {
  const route = contract.routes[command];
  if (route === undefined) return [`${command} is not a command of the SDK's list`];
  return route.answer === "Object" ? [] : modelFaults(route.answer, answer, command);
}

function modelFaults(name: string, value: object, at: string): string[] {
  const model = contract.models[name];
  if (model === undefined) return [`${at}: there is no model ${name}`];
  const missing = model.required.filter((field) => !(field in value)).map((field) => `${at}: ${field} is missing`);
  const wrong = Object.entries(value).flatMap(([field, inner]) => {
    const type = model.fields[field];
    return type === undefined ? [`${at}: ${field} is not a field of ${name}`] : faultsOf(type, inner, `${at}.${field}`);
  });
  return [...missing, ...wrong];
}

function faultsOf(type: string, value: unknown, at: string): string[] {
  if (value === null || value === undefined) return [];
  const inner = type.slice(1, -1);
  if (type.startsWith("[")) {
    return Array.isArray(value) ? value.flatMap((element) => faultsOf(inner, element, at)) : [`${at} is not a list`];
  }
  if (typeof value === "object" && !Array.isArray(value)) {
    if (type.startsWith("{"))
      return Object.entries(value).flatMap(([key, one]) => faultsOf(inner, one, `${at}.${key}`));
    if (type === "object") return [];
    if (type in contract.models) return modelFaults(type, value, at);
  }
  const expected = type === "date" ? "string" : type;
  return typeof value === expected ? [] : [`${at} is ${typeof value}, not ${type}`];
}
