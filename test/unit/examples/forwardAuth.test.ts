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

function documents<T extends readonly unknown[]>(file: string): T {
  const parsed = parseAllDocuments(text(file)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as unknown;
  });
  return parsed as unknown as T;
}

interface ForwardAuth {
  readonly address: string;
  readonly authRequestHeaders: readonly string[];
  readonly authResponseHeaders: readonly string[];
}
interface TraefikDynamic {
  readonly http: {
    readonly middlewares: { readonly k8sauth: { readonly forwardAuth: ForwardAuth } };
    readonly routers: { readonly orders: { readonly middlewares: readonly string[] } };
  };
}
interface TraefikMiddleware {
  readonly spec: { readonly forwardAuth: ForwardAuth };
}
interface TraefikRoute {
  readonly spec: { readonly routes: readonly [{ readonly middlewares: readonly { readonly name: string }[] }] };
}

type Patterns = { readonly patterns: readonly { readonly exact: string }[] };
interface EnvoyFilter {
  readonly name: string;
  readonly typed_config: {
    readonly mutations?: { readonly request_mutations: readonly { readonly remove: string }[] };
    readonly http_service?: {
      readonly server_uri: { readonly uri: string; readonly cluster: string };
      readonly authorization_response: {
        readonly allowed_upstream_headers: Patterns;
        readonly allowed_client_headers: Patterns;
      };
    };
  };
}
interface EnvoyConfig {
  readonly static_resources: {
    readonly listeners: readonly [
      {
        readonly filter_chains: readonly [
          { readonly filters: readonly [{ readonly typed_config: { readonly http_filters: readonly EnvoyFilter[] } }] },
        ];
      },
    ];
  };
}

interface HttpRoute {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly rules: readonly [
      {
        readonly filters: readonly [
          {
            readonly externalAuth: {
              readonly protocol: string;
              readonly backendRef: { readonly namespace: string };
              readonly http: { readonly allowedResponseHeaders: readonly string[] };
            };
          },
        ];
      },
    ];
  };
}
interface ReferenceGrant {
  readonly metadata: { readonly namespace: string };
  readonly spec: { readonly from: readonly [{ readonly namespace: string }] };
}
interface Ingress {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
}

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

const exact = ({ patterns }: Patterns) => patterns.map((pattern) => pattern.exact);
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
    const [dynamic] = documents<[TraefikDynamic]>("traefik/dynamic.yaml");
    const [middleware, , route] = documents<[TraefikMiddleware, unknown, TraefikRoute]>("traefik/kubernetes.yaml");
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
    const [{ static_resources: envoy }] = documents<[EnvoyConfig]>("envoy/envoy.yaml");
    const manager = envoy.listeners[0].filter_chains[0].filters[0].typed_config;
    const [mutation, authorization, router] = manager.http_filters;
    expect(router?.name).toBe("envoy.filters.http.router");
    expectAll(mutation?.typed_config.mutations?.request_mutations.map(({ remove }) => remove) ?? []);
    expect(authorization?.typed_config).toMatchObject({
      failure_mode_allow: false,
      status_on_error: { code: "ServiceUnavailable" },
      http_service: { server_uri: { uri: address, cluster: "verifier" } },
    });
    const response = authorization?.typed_config.http_service?.authorization_response;
    const toService = response ? exact(response.allowed_upstream_headers) : [];
    const toCaller = response ? exact(response.allowed_client_headers) : [];
    expectAll(toService);
    // Names are compared as they are, and HTTP/2 has small ones alone.
    expect(toService).toEqual(identityNames);
    expect(toCaller).toContain("www-authenticate");
    expect(Object.keys(refused.headers)).toEqual(expect.arrayContaining(toCaller));
  });

  test("Gateway API", () => {
    const [route, grant] = documents<[HttpRoute, ReferenceGrant]>("gateway-api/httproute.yaml");
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
    const [ingress] = documents<[Ingress]>("ingress-nginx/ingress.yaml");
    const annotation = (name: string) => ingress.metadata.annotations[`nginx.ingress.kubernetes.io/${name}`] ?? "";
    expectAll(annotation("auth-response-headers").split(","));
    expect(annotation("auth-method")).toBe("HEAD");
    expect(Number(annotation("auth-keepalive-timeout"))).toBeLessThan(75);
  });
});
