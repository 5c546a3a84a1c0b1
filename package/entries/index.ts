/** The components, with the types of their arguments. */
import { warnWithoutPlugin } from "../pluginHint.ts";

export * from "../../components/index.ts";

warnWithoutPlugin(__dirname);
