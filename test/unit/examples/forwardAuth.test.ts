import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { verifierPorts } from "../../../components/verifier/manifests.ts";
import { mint } from "../../support/verifier/tokens.ts";
import { Folder, keySettings, type Reply, type Verifier, verifier } from "../../support/verifier/verifier.ts";

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
  readonly authResponseHeadersRegex: string;
}
interface CustomHeaders {
  readonly headers: { readonly customRequestHeaders: Readonly<Record<string, string>> };
}
interface TraefikStatic {
  readonly entryPoints: { readonly web: { readonly http: object } };
}
interface TraefikDynamic {
  readonly http: {
    readonly middlewares: {
      readonly k8sauth: { readonly forwardAuth: ForwardAuth };
      readonly "without-identity": CustomHeaders;
    };
    readonly routers: { readonly orders: { readonly middlewares: readonly string[] } };
  };
}
interface TraefikMiddleware<Spec> {
  readonly metadata: { readonly name: string };
  readonly spec: Spec;
}
interface TraefikRoute {
  readonly spec: { readonly routes: readonly [{ readonly middlewares: readonly { readonly name: string }[] }] };
}

type Patterns = { readonly patterns: readonly { readonly exact: string }[] };
interface EnvoyFilter {
  readonly name: string;
  readonly typed_config: {
    readonly mutations?: { readonly request_mutations: readonly unknown[] };
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
          {
            readonly filters: readonly [
              {
                readonly typed_config: {
                  readonly common_http_protocol_options?: object;
                  readonly http_filters: readonly EnvoyFilter[];
                };
              },
            ];
          },
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

/** Names that CGI (RFC 3875 section 4.1.18), WSGI and PHP read as a header's, with every mix of separators. */
function aliasesOf(name: string): string[] {
  const [first = "", ...rest] = name.split("-");
  const all = rest.reduce(
    (some, part) => some.flatMap((start) => ["-", "_", "."].map((by) => start + by + part)),
    [first],
  );
  return all.filter((alias) => alias !== name);
}

/** An expression that fits each identity header, and what reads like one in any case, and no other header. */
function expectRegex(text: string, whole: boolean): void {
  const regex = new RegExp(whole ? `^(?:${text})$` : text);
  for (const name of identityNames) {
    const canonical = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    const spellings = whole
      ? [name, ...aliasesOf(name)]
      : [name, ...aliasesOf(name), canonical, ...aliasesOf(canonical)];
    expect(spellings.filter((spelling) => !regex.test(spelling))).toEqual([]);
  }
  const others = [
    "x-k8sauthority",
    "x-k8s-auth-subject",
    "my-x-k8sauth-subject",
    "xk8sauth",
    "x-request-id",
    "x-k8sauth",
  ];
  expect(others.filter((name) => regex.test(name))).toEqual([]);
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
    expect(config).toMatch(/^ {4}underscores_in_headers off;$/m);
    expect(config).toMatch(/^ {4}ignore_invalid_headers on;$/m);
    expect(text("nginx/upstreams.conf")).toContain(`server verifier.${prefix}:${verifierPorts.http};`);
  });

  test("Caddy, which strips what callers send before it asks", () => {
    const config = text("caddy/Caddyfile");
    const copied = /copy_headers \{\n([^}]*)\}/.exec(config)?.[1] ?? "";
    expectAll(copied.trim().split(/\s+/));
    expect(config.indexOf("request_header -*k8sauth*")).toBeLessThan(config.indexOf("forward_auth verifier"));
    expect(config).toContain(`forward_auth verifier.${prefix}:${verifierPorts.http} {`);
  });

  test("Traefik, by its file provider and by its custom resources", () => {
    const [dynamic] = documents<[TraefikDynamic]>("traefik/dynamic.yaml");
    const [middleware, , , route] =
      documents<[TraefikMiddleware<{ forwardAuth: ForwardAuth }>, unknown, unknown, TraefikRoute]>(
        "traefik/kubernetes.yaml",
      );
    const { middlewares, routers } = dynamic.http;
    for (const forwardAuth of [middlewares.k8sauth.forwardAuth, middleware.spec.forwardAuth]) {
      // Traefik removes every header of the caller's that fits, and takes every one of the verifier's.
      expectRegex(forwardAuth.authResponseHeadersRegex, false);
      expect(forwardAuth).toMatchObject({
        address,
        authRequestHeaders: expect.arrayContaining(["Authorization"]),
        trustForwardHeader: false,
      });
    }
    // In this order: the token is taken away once the verifier has seen it.
    expect(routers.orders.middlewares).toEqual(["k8sauth", "without-token"]);
    expect(route.spec.routes[0].middlewares).toEqual([{ name: "k8sauth" }, { name: "without-token" }]);
  });

  test("Traefik, which also strips what callers send on routes that do not ask the verifier", () => {
    const [{ entryPoints }] = documents<[TraefikStatic]>("traefik/traefik.yaml");
    expect(entryPoints.web.http).toEqual({
      aliasHeadersStrategy: "reject",
      middlewares: ["without-identity@file"],
    });
    const [dynamic] = documents<[TraefikDynamic]>("traefik/dynamic.yaml");
    const [, custom] = documents<[unknown, TraefikMiddleware<CustomHeaders>]>("traefik/kubernetes.yaml");
    expect(custom.metadata.name).toBe("without-identity");
    for (const { headers } of [dynamic.http.middlewares["without-identity"], custom.spec]) {
      expectAll(Object.keys(headers.customRequestHeaders));
      // Empty removes a header.
      expect(new Set(Object.values(headers.customRequestHeaders))).toEqual(new Set([""]));
    }
  });

  test("Envoy, which also strips what callers send under the names, and fails closed", () => {
    const [{ static_resources: envoy }] = documents<[EnvoyConfig]>("envoy/envoy.yaml");
    const manager = envoy.listeners[0].filter_chains[0].filters[0].typed_config;
    const [mutation, authorization, router] = manager.http_filters;
    expect(router?.name).toBe("envoy.filters.http.router");
    expect(manager.common_http_protocol_options).toEqual({ headers_with_underscores_action: "REJECT_REQUEST" });
    const mutations = mutation?.typed_config.mutations?.request_mutations ?? [];
    const [removed] = mutations as { remove_on_match: { key_matcher: { safe_regex: { regex: string } } } }[];
    expect(mutations).toHaveLength(1);
    // Envoy has names in small letters, and wants the whole name to fit.
    expectRegex(removed?.remove_on_match.key_matcher.safe_regex.regex ?? "", true);
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
