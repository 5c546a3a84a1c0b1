import { afterEach, expect, test, vi } from "vitest";
import { engineLink } from "../../../provider/protocol/engine.ts";
import { startEngine } from "../../support/plugin/engine.ts";

afterEach(() => vi.unstubAllEnvs());

test.each(["http_proxy", "https_proxy", "grpc_proxy"])(
  "the engine is spoken to directly, whatever %s says",
  async (name) => {
    await using engine = await startEngine();
    vi.stubEnv(name, "http://127.0.0.1:1");
    vi.stubEnv("no_proxy", "");
    const link = engineLink(engine.address);
    expect(await link.alive()).toBe(true);
    const { log, flushed } = link.logFor("urn:pulumi:dev::shop::k8sauth:index:Cluster::cluster");
    log.warn("a warning");
    await flushed();
    expect(engine.lines).toMatchObject([{ severity: "warning", message: "a warning" }]);
    link.close();
  },
);
