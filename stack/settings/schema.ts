import { akeylessSettings } from "./akeyless.ts";
import { certificateSettings } from "./certificate.ts";
import { clusterSettings } from "./cluster.ts";
import { rancherSettings } from "./rancher.ts";
import { reviewerSettings } from "./reviewer.ts";
import type { Schema } from "./setting.ts";
import { tokenSettings } from "./token.ts";
import { userSettings } from "./users.ts";
import { verifierSettings } from "./verifier.ts";

/** All settings by area, in the order of the documentation. */
export const areas = {
  "The cluster": clusterSettings,
  "The reviewer": reviewerSettings,
  "The token, and rotation": tokenSettings,
  "The client certificate": certificateSettings,
  "Bearer-token users": userSettings,
  "The verifier": verifierSettings,
  Akeyless: akeylessSettings,
  Rancher: rancherSettings,
} as const satisfies Readonly<Record<string, Schema>>;

/** All settings by name. */
export const schema = {
  ...clusterSettings,
  ...reviewerSettings,
  ...tokenSettings,
  ...certificateSettings,
  ...userSettings,
  ...verifierSettings,
  ...akeylessSettings,
  ...rancherSettings,
} as const;

/** Name of a setting by the input of the plugin's resources that gets its value. The plugin's messages use these names. */
export const inputNames: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(schema as Schema).flatMap(([name, { inputs = [] }]) =>
    inputs.map((input) => {
      const [key = "", within = ""] = input.split("=");
      return [key, `k8sauth:${name}${within}`];
    }),
  ),
);
