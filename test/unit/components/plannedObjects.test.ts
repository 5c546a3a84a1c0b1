import { expect, test } from "vitest";
import { BearerTokenUser } from "../../../components/bearerTokenUser.ts";
import type { PlannedObject } from "../../../components/cluster.ts";
import { withStackLabels } from "../../../components/labels.ts";
import { accountObjects } from "../../../components/resources/tokenSecret.ts";
import { TokenReviewer } from "../../../components/tokenReviewer.ts";
import { verifierObjects } from "../../../components/verifier/objects.ts";
import { Verifier } from "../../../components/verifier/verifier.ts";
import { only, type Rendered, render } from "./render.ts";

const stack = { organization: "organization", project: "shop", stack: "dev" };
const home = { namespace: "home", createNamespace: false };

/** The object that the component creates for a planned one. */
function createdFor({ apiVersion, kind }: PlannedObject, objects: readonly Rendered[]): unknown {
  return only(objects, `${apiVersion === "v1" ? "core/v1" : apiVersion}:${kind}`);
}

test.each(["secret", "tokenRequest"] as const)(
  "a reviewer's and a user's planned objects are those that they create in mode %s",
  async (tokenMode) => {
    const reviewer = await render((cluster) => new TokenReviewer("reviewer", { cluster, ...home, tokenMode }));
    const planned = accountObjects({ namespace: "home", serviceAccountName: "gateway-token-reviewer", tokenMode });
    expect(planned.map(({ kind }) => kind)).toEqual(["ServiceAccount", "Secret"]);
    for (const object of planned) expect(createdFor(object, reviewer.objects)).toEqual(withStackLabels(object, stack));
    const user = await render(
      (cluster) => new BearerTokenUser("reader", { cluster, namespace: "home", clusterRole: "view", tokenMode }),
    );
    for (const object of accountObjects({ namespace: "home", serviceAccountName: "reader", tokenMode }))
      expect(createdFor(object, user.objects)).toEqual(withStackLabels(object, stack));
  },
);

test.each([false, true])(
  "a verifier's planned objects are those that it creates, except for the name and hash of its ConfigMap (skipAwait: %s)",
  async (skipAwait) => {
    const image = "registry.example/node@sha256:0";
    const options = { mode: "hybrid", image, replicas: 3, maxReplicas: 5, skipAwait } as const;
    const { objects } = await render(
      (cluster) => new Verifier("verifier", { cluster, audiences: ["orders"], ...home, ...options }),
    );
    const planned = verifierObjects("verifier", { ...options, namespace: "home" });
    expect(planned).toHaveLength(5);
    const without = (object: unknown) =>
      JSON.parse(
        JSON.stringify(object, (key, value) => (key === "configMap" || key.endsWith("config-hash") ? {} : value)),
      );
    for (const object of planned)
      expect(without(createdFor(object, objects))).toEqual(without(withStackLabels(object, stack)));
  },
);
