import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import type { Flows } from "../../../stack/flows.ts";
import { akeylessNotes } from "../../../stack/notes.ts";
import { readSettings } from "../../../stack/settings/index.ts";
import { inStack } from "./inStack.ts";

beforeAll(inStack);

/** The notes of a stack with the token flow and these settings. */
function notesOf(values: Readonly<Record<string, string>>) {
  const config = Object.entries({ context: "prod", ...values }).map(([key, value]) => [`k8sauth:${key}`, value]);
  pulumi.runtime.setAllConfig(Object.fromEntries(config));
  return akeylessNotes(readSettings(), { token: {} } as Partial<Flows>, false);
}

const gateway = { akeylessGatewayUrl: "https://akeyless.example:8000" };
const absent = (setting: string) => `authConfigs.token.akeyless is absent: k8sauth:${setting} is not set.`;

test.each([
  ["nothing of Akeyless", {}, []],
  ["the gateway alone", gateway, [absent("akeylessAccessId")]],
  ["the access id and the gateway", { ...gateway, akeylessAccessId: "p-1" }, [absent("akeylessSigningKey")]],
])("a stack with %s says why there is no auth config for Akeyless", (_what, values, notes) => {
  expect(notesOf(values)).toEqual(notes);
});
