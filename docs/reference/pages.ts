import { settingsTables } from "../../stack/settings/describe.ts";
import { withTemplate } from "../../stack/settings/template.ts";
import { componentsPage } from "./components.ts";
import { errorsPage } from "./errors/page.ts";
import { faultsPage } from "./faults/page.ts";
import { metricsPage } from "./metrics.ts";
import { outputsPage } from "./outputs.ts";
import { withPart } from "./part.ts";
import { policyTables } from "./policies.ts";
import { schemaFile } from "./schema/schema.ts";
import { verifierSettingsPage } from "./verifierSettings.ts";

/** The generated files by path from the root of the repository: a function from the file as it is to the file as it must be. */
export const generatedPages: Readonly<Record<string, (page: string) => string>> = {
  "docs/settings.md": (page) => withPart(page, "stack/settings", settingsTables()),
  "docs/components.md": () => componentsPage(),
  "docs/errors.md": errorsPage,
  "docs/faults.md": () => faultsPage(),
  "docs/outputs.md": () => outputsPage(),
  "docs/metrics.md": () => metricsPage(),
  "docs/verifier-settings.md": () => verifierSettingsPage(),
  "docs/policy.md": (page) => withPart(page, "policy", policyTables()),
  "provider/schema.json": schemaFile,
  "Pulumi.yaml": withTemplate,
};
