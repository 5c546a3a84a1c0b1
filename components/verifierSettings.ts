import type { SettingsReader } from "./settingsReader.ts";
import { defaultVerifierImage } from "./verifier.ts";
import { type VerifierMode, verifierModes } from "./verifierManifests.ts";

/** What the stack's settings say of the verifier; undefined without one. */
export interface VerifierProgramSettings {
  readonly audiences: readonly [string, ...string[]];
  readonly mode: VerifierMode;
  readonly allow: readonly string[];
  readonly image: string;
  readonly replicas: number;
  readonly namespace?: string;
  readonly createNamespace: boolean;
}

/** The settings' keys, for the list of all. */
export const verifierKeys = [
  "verifier",
  "verifierAudiences",
  "verifierMode",
  "verifierAllow",
  "verifierImage",
  "verifierReplicas",
  "verifierNamespace",
  "verifierCreateNamespace",
] as const;
type Key = (typeof verifierKeys)[number];

const rule = /^[a-z0-9.*?-]{1,253}\/[a-z0-9.*?-]{1,253}(\/[a-z0-9.*?-]{1,253})?$/;

/** Reads the verifier's settings. An audience of its own is a must: a token for the API server is no token for a service. */
export function readVerifier(read: SettingsReader<Key>): VerifierProgramSettings | undefined {
  const audiences = texts(read, "verifierAudiences");
  const allow = texts(read, "verifierAllow");
  for (const text of allow) {
    if (!rule.test(text)) {
      read.refuse("verifierAllow", `has "${text}"; rules are NAMESPACE/SERVICEACCOUNT[/POD] with * and ?`);
    }
  }
  const replicas = read.text("verifierReplicas") ?? "2";
  if (!/^[1-9]\d?$/.test(replicas)) read.refuse("verifierReplicas", `is "${replicas}"; it is a number from 1 to 99`);
  const namespace = read.name("verifierNamespace", /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 63);
  const createNamespace = read.flag("verifierCreateNamespace", true);
  if (!createNamespace && !namespace) {
    read.refuse("verifierCreateNamespace", "is false, but k8sauth:verifierNamespace names none");
  }
  const mode = read.choice("verifierMode", verifierModes);
  const image = read.text("verifierImage") ?? defaultVerifierImage;
  if (!read.flag("verifier", false)) return undefined;
  const [first, ...others] = audiences;
  if (first === undefined) {
    read.refuse("verifierAudiences", "names none; a verifier needs the audience that callers' tokens are for");
    return undefined;
  }
  return { audiences: [first, ...others], mode, allow, image, replicas: Number(replicas), namespace, createNamespace };
}

function texts(read: SettingsReader<Key>, key: Key): string[] {
  const value = read.object(key, "a list of texts") ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "")) return value;
  read.refuse(key, "is not a list of texts");
  return [];
}
