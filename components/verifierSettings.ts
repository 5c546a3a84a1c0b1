import { VerifierError } from "../verifier/errors.ts";
import { parseRule } from "../verifier/rules.ts";
import { label, type SettingsReader, subdomain } from "./settingsReader.ts";
import { defaultVerifierImage } from "./verifier.ts";
import { checkVerifierConfig } from "./verifierCheck.ts";
import { type VerifierMode, verifierModes } from "./verifierManifests.ts";
import type { Callers } from "./verifierNetwork.ts";

/** What the stack's settings say of the verifier; undefined without one. */
export interface VerifierProgramSettings {
  readonly audiences: readonly [string, ...string[]];
  readonly mode: VerifierMode;
  readonly allow: readonly string[];
  readonly publicKeys?: string;
  readonly image: string;
  readonly replicas: number;
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly callers?: readonly Callers[];
  readonly monitoring: readonly Callers[];
  readonly tlsSecret?: string;
  readonly priorityClassName?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** The settings' keys, for the list of all. */
export const verifierKeys = [
  "verifier",
  "verifierAudiences",
  "verifierMode",
  "verifierAllow",
  "verifierPublicKeys",
  "verifierImage",
  "verifierReplicas",
  "verifierNamespace",
  "verifierCreateNamespace",
  "verifierCallers",
  "verifierMonitoring",
  "verifierTlsSecret",
  "verifierPriorityClass",
  "verifierSettings",
] as const;
type Key = (typeof verifierKeys)[number];

/** Reads the verifier's settings. An audience of its own is a must: a token for the API server is no token for a service. */
export function readVerifier(read: SettingsReader<Key>): VerifierProgramSettings | undefined {
  const audiences = texts(read, "verifierAudiences");
  const replicas = read.text("verifierReplicas") ?? "2";
  if (!/^[1-9]\d?$/.test(replicas)) read.refuse("verifierReplicas", `is "${replicas}"; it is a number from 1 to 99`);
  const namespace = read.name("verifierNamespace", label, 63);
  const createNamespace = read.flag("verifierCreateNamespace", true);
  if (!createNamespace && !namespace) {
    read.refuse("verifierCreateNamespace", "is false, but k8sauth:verifierNamespace names none");
  }
  const tlsSecret = read.name("verifierTlsSecret", subdomain, 253);
  if (tlsSecret && !namespace) {
    read.refuse("verifierTlsSecret", "needs k8sauth:verifierNamespace: that is where the Secret has to be");
  }
  const callers = selections(read, "verifierCallers");
  const settings = {
    mode: read.choice("verifierMode", verifierModes),
    allow: rules(read),
    publicKeys: read.text("verifierPublicKeys"),
    image: read.text("verifierImage") ?? defaultVerifierImage,
    replicas: Number(replicas),
    namespace,
    createNamespace,
    ...(callers.length > 0 && { callers }),
    monitoring: selections(read, "verifierMonitoring"),
    tlsSecret,
    priorityClassName: read.name("verifierPriorityClass", subdomain, 253),
    settings: further(read),
  };
  if (settings.publicKeys && settings.mode !== "jwt-pubkey") {
    read.refuse("verifierPublicKeys", "is set, but k8sauth:verifierMode is not jwt-pubkey, which alone takes keys");
  }
  if (!read.flag("verifier", false)) return undefined;
  const [first, ...others] = audiences;
  if (first === undefined) {
    read.refuse("verifierAudiences", "names none; a verifier needs the audience that callers' tokens are for");
    return undefined;
  }
  const asked: VerifierProgramSettings = { ...settings, audiences: [first, ...others] };
  checkAsked(read, asked);
  return asked;
}

/** What the verifier would refuse to start with, as far as the settings alone tell: the issuer is not known yet. */
function checkAsked(read: SettingsReader<Key>, asked: VerifierProgramSettings) {
  const { mode, audiences, publicKeys, settings } = asked;
  const tls = asked.tlsSecret !== undefined;
  const known = { mode, audiences, allow: [], issuer: "https://issuer.invalid", tls };
  const withoutKeys = { ...known, mode: mode === "jwt-pubkey" ? ("hybrid" as const) : mode, publicKeys: "" };
  const problem = checkVerifierConfig(withoutKeys);
  if (problem) read.refuse("verifierAudiences", `cannot be: ${problem}`);
  else if (publicKeys && mode === "jwt-pubkey") {
    const ofKeys = checkVerifierConfig({ ...known, publicKeys });
    if (ofKeys) read.refuse("verifierPublicKeys", `cannot be: ${ofKeys}`);
  }
  const ofMore = problem || !settings ? undefined : checkVerifierConfig({ ...withoutKeys, mode, more: settings });
  // Without keys, which only the cluster can tell.
  if (ofMore && !(mode === "jwt-pubkey" && ofMore.includes("holds no keys")))
    read.refuse("verifierSettings", `cannot be: ${ofMore}`);
}

function further(read: SettingsReader<Key>): Readonly<Record<string, unknown>> | undefined {
  const expected = "an object such as {reviewOutage: local}";
  const given = read.object("verifierSettings", expected) ?? {};
  if (!isRecord(given)) read.refuse("verifierSettings", `is not ${expected}`);
  else if (Object.keys(given).length > 0) return given;
  return undefined;
}

function rules(read: SettingsReader<Key>): readonly string[] {
  const allow = texts(read, "verifierAllow");
  for (const text of allow) {
    try {
      parseRule(text);
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      read.refuse("verifierAllow", `has "${text}"; rules are NAMESPACE/SERVICEACCOUNT[/POD] with * and ?`);
    }
  }
  return allow;
}

function selections(read: SettingsReader<Key>, key: Key): readonly Callers[] {
  const expected = "a list such as [{namespaceLabels: {team: shop}, podLabels: {app: gateway}}]";
  const given = read.object(key, expected) ?? [];
  if (Array.isArray(given) && given.every(isSelection)) return given;
  read.refuse(key, `is not ${expected}`);
  return [];
}

function isSelection(value: unknown): value is Callers {
  if (!isRecord(value)) return false;
  return Object.entries(value).every(
    ([name, labels]) =>
      (name === "namespaceLabels" || name === "podLabels") &&
      isRecord(labels) &&
      Object.values(labels).every((text) => typeof text === "string"),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(read: SettingsReader<Key>, key: Key): string[] {
  const value = read.object(key, "a list of texts") ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "")) return value;
  read.refuse(key, "is not a list of texts");
  return [];
}
