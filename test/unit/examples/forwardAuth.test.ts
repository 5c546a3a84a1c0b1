import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { verifierPorts } from "../../../components/verifierManifests.ts";
import { Folder, keySettings, type Reply, type Verifier, verifier } from "../verifier/support.ts";
import { mint } from "../verifier/tokens.ts";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const text = (file: string) => readFileSync(join(root, "examples", "forward-auth", file), "utf8");

/** Any of a YAML file's values; tests look at what they know to be there. */
// biome-ignore lint/suspicious/noExplicitAny: documents of other products have no types here.
const documents = (file: string): any[] =>
  parseAllDocuments(text(file)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });

const folder = new Folder();
let one: Verifier;
let accepted: Reply;
let refused: Reply;
/** Names of the identity headers, as node:http gives them. */
let identityNames: string[];

beforeAll(async () => {
  one = await verifier(keySettings(folder));
  accepted = await one.ask(mint());
  refused = await one.ask("x.y.z");
  identityNames = Object.keys(accepted.headers).filter((name) => name.startsWith("x-k8sauth-"));
});
afterAll(async () => {
  await one?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** A list that names each header of the verifier's that says who the caller is, and no other of that prefix. */
function expectAll(names: readonly string[]): void {
  expect(names.map((name) => name.toLowerCase()).sort()).toEqual([...identityNames].sort());
}

const exact = (patterns: readonly { readonly exact: string }[]) => patterns.map((pattern) => pattern.exact);
const prefix = "k8sauth-verifier.svc";
const address = `http://verifier.${prefix}:${verifierPorts.http}`;

describe("every example takes all identity headers from the verifier", () => {
  test("there are nine of them, also where a token has no such claim", () => {
    expect(identityNames).toHaveLength(9);
  });

  test("NGINX", () => {
    const config = text("nginx/nginx.conf");
    const set = [...config.matchAll(/^ *auth_request_set \$(k8sauth_\w+) \$upstream_http_x_(\w+);$/gm)];
    expectAll(set.map(([, , header = ""]) => `x-${header.replaceAll("_", "-")}`));
    for (const [, variable, header] of set) expect(variable).toBe(header);
    const passed = [...config.matchAll(/^ *proxy_set_header (X-K8sauth-[\w-]+) \$(\w+);$/gm)];
    expectAll(passed.map(([, name = ""]) => name));
    for (const [, name = "", variable] of passed)
      expect(variable).toBe(name.slice(2).toLowerCase().replaceAll("-", "_"));
    expect(text("nginx/upstreams.conf")).toContain(`server verifier.${prefix}:${verifierPorts.http};`);
  });

  test("Traefik, by its file provider and by its custom resources", () => {
    const [dynamic] = documents("traefik/dynamic.yaml");
    const [middleware, , route] = documents("traefik/kubernetes.yaml");
    const { middlewares, routers } = dynamic.http;
    for (const forwardAuth of [middlewares.k8sauth.forwardAuth, middleware.spec.forwardAuth]) {
      expectAll(forwardAuth.authResponseHeaders);
      expect(forwardAuth).toMatchObject({ address, authRequestHeaders: expect.arrayContaining(["Authorization"]) });
    }
    // In this order: the token is taken away once the verifier has seen it.
    expect(routers.orders.middlewares).toEqual(["k8sauth", "without-token"]);
    expect(route.spec.routes[0].middlewares).toEqual([{ name: "k8sauth" }, { name: "without-token" }]);
  });

  test("Envoy, which also strips what callers send under the names, and fails closed", () => {
    const [{ static_resources: envoy }] = documents("envoy/envoy.yaml");
    const manager = envoy.listeners[0].filter_chains[0].filters[0].typed_config;
    const [mutation, authorization, router] = manager.http_filters;
    expect(router.name).toBe("envoy.filters.http.router");
    expectAll(
      mutation.typed_config.mutations.request_mutations.map(({ remove }: { readonly remove: string }) => remove),
    );
    const { http_service: http, ...rest } = authorization.typed_config;
    expectAll(exact(http.authorization_response.allowed_upstream_headers.patterns));
    expect(rest).toMatchObject({ failure_mode_allow: false, status_on_error: { code: "ServiceUnavailable" } });
    expect(http.server_uri).toMatchObject({ uri: address, cluster: "verifier" });
    const toCaller = exact(http.authorization_response.allowed_client_headers.patterns);
    expect(Object.keys(refused.headers)).toEqual(expect.arrayContaining(toCaller));
    // Names are compared as they are, and HTTP/2 has small ones alone.
    expect(exact(http.authorization_response.allowed_upstream_headers.patterns)).toEqual(identityNames);
  });

  test("Gateway API", () => {
    const [route, grant] = documents("gateway-api/httproute.yaml");
    const { externalAuth } = route.spec.rules[0].filters[0];
    expectAll(externalAuth.http.allowedResponseHeaders);
    expect(externalAuth).toMatchObject({
      protocol: "HTTP",
      backendRef: { name: "verifier", namespace: "k8sauth-verifier", port: verifierPorts.http },
    });
    expect(grant.metadata.namespace).toBe(externalAuth.backendRef.namespace);
    expect(grant.spec.from[0].namespace).toBe(route.metadata.namespace);
  });

  test("ingress-nginx", () => {
    const [ingress] = documents("ingress-nginx/ingress.yaml");
    const annotation = (name: string): string => ingress.metadata.annotations[`nginx.ingress.kubernetes.io/${name}`];
    expectAll(annotation("auth-response-headers").split(","));
    expect(annotation("auth-method")).toBe("HEAD");
    expect(Number(annotation("auth-keepalive-timeout"))).toBeLessThan(75);
  });
});
