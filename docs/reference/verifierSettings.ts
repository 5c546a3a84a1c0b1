/** docs/verifier-settings.md, from the schema of the verifier's settings. */
import {
  flagOf,
  type Setting,
  type SettingName,
  settingNames,
  settingOf,
  variableOf,
} from "../../verifier/config/settings.ts";
import { row } from "./part.ts";

/** The page. */
export function verifierSettingsPage(names: readonly SettingName[] = settingNames): string {
  const rows = names.map((name) => {
    const setting = settingOf(name);
    const { help, perIssuer = false } = setting;
    return row([`\`${name}\``, valuesOf(setting), defaultIn(setting), perIssuer ? "yes" : "", inCode(help)]);
  });
  return `# The verifier's settings

<!-- Generated from verifier/config/settings.ts by \`npm run generate\`. -->

A stack sets them in \`verifierSettings\`, except those that follow from [settings of the stack](settings.md#the-verifier) or from the pod's mounts. The
[verifier](verifier.md) alone reads them from a JSON file (\`--config\`), from environment variables and from flags: \`maxReviews\` is
\`${variableOf("maxReviews")}\` and \`${flagOf("maxReviews")}\`. Flags have precedence over the environment, the environment over the file. The file also has
\`issuers\`, a list of entries with the settings that are marked "per issuer" ([several issuers](verifier.md#several-issuers)). Limits that are not settings
are in [connections](verifier.md#connections).

| setting | value | default | per issuer | meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

function valuesOf({ kind, choices, min, max }: Setting): string {
  if (choices) return choices.map((choice) => `\`${choice}\``).join(", ");
  const name = kind === "count" ? "number" : kind;
  return min === undefined ? name : `${name}, ${min} to ${max}`;
}

function defaultIn({ default: standard, help }: Setting): string {
  if (standard !== undefined) return `\`${standard}\``;
  return /\bDefault\b/.test(help) ? "see the meaning" : "none";
}

/** Patterns with \`*\` as code, because they are emphasis otherwise. */
function inCode(help: string): string {
  return help.replace(/\bshop\/web GET\|HEAD \/orders\/\*/, "`$&`").replace(/ \* and \?/, " `*` and `?`");
}
