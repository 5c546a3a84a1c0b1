import { expect, test } from "vitest";
import { describeNode } from "../../../demo/cluster.ts";

const none = "the verifier and its callers run as processes.";

test.each([
  ["another user than root", ["root"], "Only root can run a node: sudo npm start."],
  [
    "a machine without two of the packages",
    ["Debian package containerd", "Debian package nftables"],
    "On Debian, as root: apt-get install containerd nftables.",
  ],
  [
    "another user, without a package",
    ["root", "Debian package runc"],
    "On Debian, as root: apt-get install runc. Only root can run a node: sudo npm start.",
  ],
  ["a container", ["CAP_NET_ADMIN", "cgroups that can be written"], "A container needs --privileged."],
  ["another system than Linux", ["Linux"], "A node runs on Linux only."],
])("the demonstration says to %s in one line what is missing and how to get it", (_who, missing, remedy) => {
  expect(describeNode({}, { ok: false, missing })).toBe(
    `No node (missing here: ${missing.join(", ")}): ${none} ${remedy}`,
  );
});

test("a sandbox that was started without a node says how to have one", () => {
  expect(describeNode({}, { ok: true })).toBe(
    `No node (the sandbox was started without one): ${none} To have one: npx --no k8sauth sandbox stop, then npm start.`,
  );
});
