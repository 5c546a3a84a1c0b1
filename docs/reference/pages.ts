import { withTables } from "../../stack/settings/describe.ts";
import { withTemplate } from "../../stack/settings/template.ts";
import { componentsPage } from "./components.ts";
import { errorsPage } from "./errors/page.ts";
import { faultsPage } from "./faults/page.ts";
import { schemaFile } from "./schema/schema.ts";

/** The generated files by path from the root of the repository: a function from the file as it is to the file as it must be. */
export const generatedPages: Readonly<Record<string, (page: string) => string>> = {
  "docs/settings.md": withTables,
  "docs/components.md": () => componentsPage(),
  "docs/errors.md": errorsPage,
  "docs/faults.md": () => faultsPage(),
  "provider/schema.json": schemaFile,
  "Pulumi.yaml": withTemplate,
};
