import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isOlderThan, oldestTestedMinor, oldServerWarning } from "../../../../provider/cluster/serverVersion.ts";
import { kubernetesVersions } from "../../../../sandbox/index.ts";

test("the oldest version that is tested is the oldest that the sandbox runs", () => {
  expect(kubernetesVersions()[0]?.minor).toBe(`1.${oldestTestedMinor}`);
});

test.each<[string, number, boolean]>([
  ["v1.33.9", 34, true],
  ["v1.34.0", 34, false],
  ["v1.9.1", 34, true],
  ["v1.31.2-eks-7f9249a", 34, true],
  ["v1.34.1+k3s1", 34, false],
  ["v1.33.0-gke.1678000", 33, false],
  ["v2.0.0", 34, false],
  ["v0.0.0-master+$Format:%H$", 34, false],
  ["", 34, false],
  ["unknown", 34, false],
])("%j is older than 1.%d: %j", (version, minor, older) => {
  expect(isOlderThan(version, minor)).toBe(older);
});

test.each(kubernetesVersions())("there is no warning about $version", ({ version }) => {
  expect(oldServerWarning(version)).toBeUndefined();
});

test("the warning names the version, the oldest tested one and what differs in between", () => {
  expect(oldServerWarning("v1.33.5")).toMatch(/runs Kubernetes v1\.33\.5\..* is 1\.34\. No difference is known\./);
  const warning = oldServerWarning("v1.27.16-eks-1") ?? "";
  expect(warning).toMatch(/SelfSubjectReview.*; tokens and TokenReviews .*; .*hostUsers/);
  expect(warning).not.toMatch(/lifetime|token Secret/);
  expect(oldServerWarning("v1.21.14")).toMatch(/Known differences: the requested lifetime/);
});

test("docs/versions.md lists every difference", () => {
  const page = readFileSync(new URL("../../../../docs/versions.md", import.meta.url), "utf8").replaceAll("`", "");
  const [, list = ""] = /Known differences: (.*?)\. Test/.exec(oldServerWarning("v1.21.0") ?? "") ?? [];
  const differences = list.split("; ");
  expect(differences).toHaveLength(5);
  expect(differences.filter((difference) => !page.includes(difference))).toEqual([]);
});
