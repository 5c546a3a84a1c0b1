import alias from "@pulumi/pulumi/proto/alias_pb.js";
import messages from "@pulumi/pulumi/proto/resource_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { describe, expect, test } from "vitest";
import { readGoal, withIgnoredChanges } from "../../../engine/goal.ts";
import { makeUrn, stackType, type Urn } from "../../../engine/urn.ts";

type Request = InstanceType<typeof messages.RegisterResourceRequest>;
const type = "kubernetes:core/v1:ConfigMap";

function request(change: (request: Request) => void = () => {}): Request {
  const made = new messages.RegisterResourceRequest();
  made.setType(type);
  made.setName("a");
  made.setCustom(true);
  made.setObject(struct.Struct.fromJavaScript({}));
  change(made);
  return made;
}

function read(made: Request, former: Record<Urn, Urn[]> = {}) {
  return readGoal(made, { stack: "dev", project: "shop", aliasesOf: (urn) => former[urn] ?? [] });
}

const urn = (name: string, parent?: Urn, of = type) => makeUrn("dev", "shop", parent, of, name);

describe("an option that the engine does not carry is refused by name", () => {
  test.each<[string, (request: Request) => void]>([
    ["remote components", (made) => made.setRemote(true)],
    ["the option import", (made) => made.setImportid("an-id")],
    ["the option deletedWith", (made) => made.setDeletedwith("urn:pulumi:dev::shop::t::n")],
    ["the option replaceWith", (made) => made.setReplaceWithList(["urn:pulumi:dev::shop::t::n"])],
    ["the option replacementTrigger", (made) => made.setReplacementTrigger(struct.Value.fromJavaScript("x"))],
    ["the option hideDiffs", (made) => made.setHidediffsList(["data"])],
    ["the option pluginDownloadURL", (made) => made.setPlugindownloadurl("https://example.com")],
    ["parameterized packages", (made) => made.setPackageref("ref")],
    ["the option envVarMappings", (made) => void made.getEnvvarmappingsMap().set("A", "B")],
    ["the option pluginChecksums", (made) => void made.getPluginchecksumsMap().set("linux", "eA==")],
    ["the option customTimeouts", (made) => made.setCustomtimeouts(timeouts({ create: "5m" }))],
    ["the option customTimeouts", (made) => made.setCustomtimeouts(timeouts({ delete: "5m" }))],
    ["the option hooks", (made) => made.setHooks(hooks())],
    ["ignoreChanges with indexes", (made) => made.setIgnorechangesList(["subjects[0].name"])],
    ["replaceOnChanges with indexes", (made) => made.setReplaceonchangesList(["spec.*"])],
    ["assets and archives", (made) => made.setObject(asset())],
  ])("%s", (what, change) => {
    expect(() => read(request(change))).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining(what) }),
    );
    expect(() => read(request(change))).toThrow(urn("a"));
  });

  test("empty timeouts and hooks, which the SDK always sends, are none", () => {
    const made = request((it) => {
      it.setCustomtimeouts(timeouts({}));
      it.setHooks(new messages.RegisterResourceRequest.ResourceHooksBinding());
    });
    expect(read(made).urn).toBe(urn("a"));
  });
});

test("what the program left open stays open", () => {
  expect(read(request())).toMatchObject({
    protect: undefined,
    retainOnDelete: undefined,
    deleteBeforeReplace: undefined,
    provider: undefined,
    parent: undefined,
  });
  const said = request((made) => {
    made.setProtect(false);
    made.setRetainondelete(true);
    made.setDeletebeforereplacedefined(true);
  });
  expect(read(said)).toMatchObject({ protect: false, retainOnDelete: true, deleteBeforeReplace: false });
});

describe("aliases", () => {
  const root = urn("shop-dev", undefined, stackType);
  const parent = urn("g", root, "my:index:Group");

  function aliases(change: (spec: InstanceType<typeof alias.Alias.Spec>) => void, of?: Urn, former = {}): Urn[] {
    const spec = new alias.Alias.Spec();
    change(spec);
    const one = new alias.Alias();
    one.setSpec(spec);
    const made = request((it) => {
      it.setAliasesList([one]);
      if (of) it.setParent(of);
    });
    return read(made, former).aliases;
  }

  test("take from the resource what they do not say", () => {
    expect(aliases((spec) => spec.setName("b"))).toEqual([urn("b")]);
    expect(aliases((spec) => spec.setType("my:index:Old"), parent)).toEqual([urn("a", parent, "my:index:Old")]);
    expect(aliases((spec) => spec.setProject("old"))).toEqual([makeUrn("dev", "old", undefined, type, "a")]);
  });

  test("without a parent are those of a resource below the stack", () => {
    expect(aliases((spec) => spec.setNoparent(true), parent)).toEqual([urn("a")]);
  });

  test("follow the aliases of the parent, also in names that begin with its name", () => {
    const before = urn("old", root, "my:index:Group");
    const made = request((it) => {
      it.setParent(parent);
      it.setName("g-child");
    });
    expect(read(made, { [parent]: [before] }).aliases).toEqual([urn("old-child", before)]);
    const moved = urn("g", urn("o", root, "my:index:Old"), "my:index:Group");
    expect(read(made, { [parent]: [moved] }).aliases).toEqual([urn("g-child", moved)]);
  });

  test("that are URNs are taken as they are, and the resource's own is none", () => {
    const one = new alias.Alias();
    one.setUrn(urn("a"));
    const other = new alias.Alias();
    other.setUrn("urn:pulumi:dev::shop::t::n");
    expect(read(request((made) => made.setAliasesList([one, other]))).aliases).toEqual(["urn:pulumi:dev::shop::t::n"]);
  });
});

describe("ignored changes", () => {
  const olds = { spec: { replicas: 1, paused: true }, data: { a: "1" } };

  test("keep the old value, or its absence", () => {
    expect(withIgnoredChanges({ spec: { replicas: 2 } }, olds, ["spec.replicas"])).toEqual({ spec: { replicas: 1 } });
    expect(withIgnoredChanges({ spec: {}, labels: {} }, olds, ["labels"])).toEqual({ spec: {} });
    expect(withIgnoredChanges({ spec: { replicas: 2 } }, undefined, ["spec"])).toEqual({ spec: { replicas: 2 } });
  });

  test("leave what the program passed alone", () => {
    const news = { spec: { replicas: 2 } };
    withIgnoredChanges(news, olds, ["spec.replicas"]);
    expect(news).toEqual({ spec: { replicas: 2 } });
  });
});

function timeouts(values: { create?: string; delete?: string }) {
  const made = new messages.RegisterResourceRequest.CustomTimeouts();
  if (values.create) made.setCreate(values.create);
  if (values.delete) made.setDelete(values.delete);
  return made;
}

function hooks() {
  const made = new messages.RegisterResourceRequest.ResourceHooksBinding();
  made.setAfterCreateList(["tell"]);
  return made;
}

function asset() {
  return struct.Struct.fromJavaScript({
    file: { "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", text: "x" },
  });
}
