import { expect, test } from "vitest";
import { passphraseNotice } from "../../../cli/pulumi.ts";

const used = { PULUMI_CONFIG_PASSPHRASE_FILE: "/state/passphrase", PULUMI_BACKEND_URL: "s3://stacks" };

test.each([[["stack", "init", "prod"]], [["new", ".", "--yes"]]])(
  "after %j the generated passphrase is named",
  (args) => {
    expect(passphraseNotice(args, used, {})).toMatch(/passphrase in \/state\/passphrase\. Keep a copy/);
  },
);

test.each([
  ["another command", ["up"], used, {}],
  ["another secrets provider", ["stack", "init", "--secrets-provider=awskms://alias/k"], used, {}],
  ["a passphrase of the user", ["stack", "init"], used, used],
  ["a passphrase in the environment", ["stack", "init"], {}, {}],
  ["Pulumi Cloud", ["stack", "init"], { ...used, PULUMI_BACKEND_URL: "https://api.pulumi.com" }, {}],
])("with %s there is no notice", (_what, args, env, given) => {
  expect(passphraseNotice(args, env, given)).toBe("");
});
