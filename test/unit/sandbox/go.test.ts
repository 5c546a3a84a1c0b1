import { expect, test } from "vitest";
import { explainGoFailure, goEnvironment } from "../../../sandbox/build/go.ts";

test.each([
  ["SANDBOX_GO_TOO_OLD", "go: go.mod requires go >= 1.26.0 (running go 1.22.1; GOTOOLCHAIN=local)"],
  ["SANDBOX_GO_TOO_OLD", "go: errors parsing go.mod:\ngo.mod:3: invalid go version '1.26.0': must match format 1.23"],
  ["SANDBOX_DISK_FULL", "k8s.io/api/core/v1\nwrite b001/_pkg_.a: no space left on device"],
  [
    "SANDBOX_DOWNLOAD_FAILED",
    'go: k8s.io/api@v0.36.3: Get "https://proxy.example/x.mod": dial tcp: lookup proxy.example: no such host',
  ],
  ["SANDBOX_DOWNLOAD_FAILED", "go: k8s.io/api@v0.36.3: reading https://proxy.example/x.mod: 503 Service Unavailable"],
  ["SANDBOX_DOWNLOAD_FAILED", "verifying k8s.io/api@v0.36.3: checksum mismatch\n\nSECURITY ERROR"],
  ["SANDBOX_BUILD_FAILED", "# k8sauth/sandbox\n./main.go:3:1: syntax error"],
])("%s is recognized in the output of the Go command", (code, output) => {
  expect(explainGoFailure(output.split("\n"), "exit status 1").code).toBe(code);
});

test("the error of a killed build says how much memory it needs", () => {
  const error = explainGoFailure(["k8s.io/api/core/v1", "link: signal: killed"], "exit status 1");
  expect(error).toMatchObject({
    code: "SANDBOX_BUILD_FAILED",
    message: expect.stringContaining("2 GB of free memory"),
  });
});

test("an error contains no names of built packages", () => {
  const { message } = explainGoFailure(["k8s.io/api/core/v1", "./main.go:3:1: syntax error"], "exit status 1");
  expect(message).toContain("./main.go:3:1: syntax error");
  expect(message).not.toContain("k8s.io/api");
});

test("no error contains the password of a module proxy", () => {
  const { message } = explainGoFailure(['Get "https://user:hunter2@proxy.example/x.mod": dial tcp: i/o timeout'], "1");
  expect(message).not.toContain("hunter2");
  expect(message).toContain("proxy.example");
});

test("settings for downloads are passed to Go, those for another machine are not", () => {
  const env = goEnvironment({ GOOS: "js", GOARCH: "wasm", GOPROXY: "file:///modules", CGO_ENABLED: "1" });
  expect(env).toMatchObject({ GOPROXY: "file:///modules", CGO_ENABLED: "0", GOWORK: "off" });
  expect(env).not.toHaveProperty("GOOS");
  expect(env).not.toHaveProperty("GOARCH");
});
