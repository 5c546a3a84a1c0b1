/** Several clusters, one verifier: a token of one must never be decided about as the other's. */
import { describe, expect, test } from "vitest";
import { goodKey, issuer, mint, strangeKey, uids } from "../../../support/verifier/tokens.ts";
import {
  type ApiServer,
  apiServer,
  apiSettings,
  ask,
  Folder,
  until,
  type Verifier,
  verifier,
} from "../../../support/verifier/verifier.ts";

/** Claims of an account that the rules of the foreign cluster let in, and those of the home cluster do not. */
const admin = {
  sub: "system:serviceaccount:kube-system:admin",
  "kubernetes.io": { namespace: "kube-system", serviceaccount: { name: "admin", uid: uids.account } },
};

/** The home cluster, named with its key, and a foreign one whose issuer is learned. */
function entries(foreign: ApiServer, folder: Folder): readonly object[] {
  return [
    { name: "foreign", ...apiSettings(foreign, folder), mode: "oidc-discovery", allow: ["*/*"] },
    {
      name: "home",
      mode: "jwt-pubkey",
      issuer,
      publicKeyFile: [folder.write("home.pem", goodKey.publicPem)],
      allow: ["team-a/web"],
    },
  ];
}

const taken = ({ lines }: Verifier) => lines.filter(({ code }) => code === "DISCOVERY_ISSUER_TAKEN");
const statusOf = async (one: Verifier, ...token: Parameters<typeof mint>) => (await one.ask(mint(...token))).status;
const readiness = async ({ service }: Verifier) => {
  const { body } = await ask(service.adminPort, undefined, {}, "GET", "/metrics");
  return Object.fromEntries(
    [...body.matchAll(/^k8sauth_verifier_issuer_ready\{issuer="(\w+)"\} (\d)$/gm)].map(([, name, ready]) => [
      name,
      ready,
    ]),
  );
};

describe("a cluster whose discovery document names the issuer of another entry", () => {
  test.each([
    ["first", (all: readonly object[]) => all],
    ["last", (all: readonly object[]) => all.toReversed()],
  ])("and is listed %s gets no token accepted, and takes none of the other's away", async (_, order) => {
    using folder = new Folder();
    await using foreign = await apiServer([strangeKey]);
    await using one = await verifier({ issuers: order(entries(foreign, folder)) });
    expect(await statusOf(one, admin, strangeKey)).toBe(401);
    expect(await statusOf(one, {}, strangeKey)).toBe(401);
    expect(await statusOf(one)).toBe(200);
    expect(await statusOf(one, admin)).toBe(403);
  });

  test("is named in the log and in the metrics, while the other entry serves", async () => {
    using folder = new Folder();
    await using foreign = await apiServer([strangeKey]);
    await using one = await verifier({ issuers: entries(foreign, folder) });
    expect(taken(one)[0]).toMatchObject({
      level: "error",
      issuer: "foreign",
      detail: expect.stringMatching(/"foreign" learned is "https:\/\/issuer\.example", which is the issuer of "home"/),
    });
    expect(one.service.unreadyReasons()).toEqual([]);
    expect(await readiness(one)).toEqual({ foreign: "0", home: "1" });
  });

  test("is why the verifier is not ready, where nothing else works either", async () => {
    using folder = new Folder();
    await using foreign = await apiServer([strangeKey]);
    await using down = await apiServer();
    down.outage = 500;
    const [first] = entries(foreign, folder);
    const home = { ...apiSettings(down, folder), name: "home", mode: "oidc-discovery", issuer, allow: ["*/*"] };
    await using one = await verifier({ issuers: [first, { ...home, discoveryUrl: down.url }] }, { unready: true });
    await until(() => taken(one).length > 0, "the keys are refused");
    expect(one.service.unreadyReasons()).toContainEqual(
      expect.stringMatching(/^The keys of foreign are not loaded: .* is the issuer of "home"/),
    );
  });

  test("serves once its document is corrected", async () => {
    using folder = new Folder();
    await using foreign = await apiServer([strangeKey]);
    await using one = await verifier({ issuers: entries(foreign, folder) });
    foreign.issuer = "https://foreign.example";
    const own = { iss: "https://foreign.example", ...admin };
    await until(async () => {
      one.clock?.advance(1_000);
      return (await readiness(one)).foreign === "1";
    }, "its keys are loaded");
    expect(await statusOf(one, own, strangeKey)).toBe(200);
    expect(await statusOf(one, admin, strangeKey)).toBe(401);
  });

  test("later on keeps its keys for its own issuer alone", async () => {
    using folder = new Folder();
    await using foreign = await apiServer([strangeKey]);
    foreign.issuer = "https://foreign.example";
    await using one = await verifier({ issuers: entries(foreign, folder) });
    expect(await statusOf(one, { iss: "https://foreign.example" }, strangeKey)).toBe(200);
    foreign.issuer = issuer;
    // As long as keys are fresh whose server does not say otherwise.
    one.clock?.advance(300_000);
    await until(() => taken(one).length > 0, "it looked again");
    expect(await statusOf(one, { jti: "later", iss: "https://foreign.example" }, strangeKey)).toBe(200);
    expect(await statusOf(one, admin, strangeKey)).toBe(401);
    expect(await statusOf(one)).toBe(200);
  });
});
