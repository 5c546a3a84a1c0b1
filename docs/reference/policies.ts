/** The tables of docs/policy.md, from the policies themselves. */
import type { Policies } from "@pulumi/policy";
import { policies } from "../../policy/policies.ts";
import { firstSentence, row } from "./part.ts";

/** Every policy with its level, severity and settings, and every setting with its default. */
export function policyTables(all: Policies = policies): string {
  const rows = all.map(({ name, enforcementLevel, severity, description, configSchema }) => {
    const settings = Object.keys(configSchema?.properties ?? {}).map(code);
    return row([
      code(name),
      enforcementLevel ?? "",
      severity ?? "",
      firstSentence(description),
      settings.join(", ") || "—",
    ]);
  });
  const settings = all.flatMap(({ name, configSchema }) =>
    Object.entries(configSchema?.properties ?? {}).map(([setting, { description = "", default: standard }]) =>
      row([code(name), code(setting), code(JSON.stringify(standard)), description]),
    ),
  );
  return `| policy | level | severity | what | settings |
|---|---|---|---|---|
${rows.join("\n")}

| policy | setting | default | meaning |
|---|---|---|---|
${settings.join("\n")}
`;
}

function code(text: string): string {
  return `\`${text}\``;
}
