/** Servers with the products' HTTP APIs, for tests of the examples. They pass requests to the product's own code if it is available. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConsulAuth } from "../../../demo/gateways/consul/index.ts";
import type { VaultAuth } from "../../../demo/gateways/vault/index.ts";
import { KubeClient } from "../../../kubernetes/index.ts";
import { reviewToken } from "../../../kubernetes/reviews.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage["headers"];
}

/** Answered with status 400 and this message. */
class BadRequest extends Error {}

/** An HTTP server whose answers are JSON, on a free port of this machine. */
async function jsonServer(answer: (asked: Asked) => Promise<object>): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const { method = "", url: path = "", headers } = incoming;
    const respond = (status: number, value: object) =>
      outgoing.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    try {
      respond(200, await answer({ method, path, headers, body: text === "" ? {} : JSON.parse(text) }));
    } catch (error) {
      respond(error instanceof BadRequest ? 400 : 500, { errors: [String(error)] });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Vault's HTTP API of one auth method. Vault's own code answers. */
export function vaultServer(vault: VaultAuth) {
  return jsonServer(async ({ path, body }) => {
    if (path === "/v1/sys/auth/kubernetes") return {};
    const [, below] = /^\/v1\/auth\/kubernetes\/(.+)$/.exec(path) ?? [];
    if (below === undefined) throw new BadRequest(`no handler for route ${path}`);
    const { error, metadata, policies, ...answer } = await vault.write(below, body);
    if (error) throw new BadRequest(error);
    return metadata ? { auth: { metadata, policies } } : answer;
  });
}

/** Consul's HTTP API of one auth method and its binding rules. Consul's own code checks logins. */
export function consulServer(consul: ConsulAuth) {
  let rule = "";
  return jsonServer(async ({ path, body }) => {
    if (path === "/v1/acl/auth-method") {
      const { error } = await consul.configure(body.Config as object);
      if (error) throw new BadRequest(error);
      return {};
    }
    if (path === "/v1/acl/binding-rule") {
      rule = String(body.BindName);
      return {};
    }
    const { error, vars = {} } = await consul.login(String(body.BearerToken));
    if (error) throw new BadRequest(error);
    return { SecretID: rule.replaceAll(/\$\{([^}]+)\}/g, (_whole, name: string) => vars[name] ?? "") };
  });
}

/**
 * Infisical's API for the Kubernetes auth of an identity. It checks each field by the rules of Infisical's router. A login is reviewed at the
 * real API server with the configured token.
 */
export function infisicalServer(session: string) {
  let known: Readonly<Record<string, string>> | undefined;
  return jsonServer(async ({ path, method, headers, body }) => {
    if (path === "/api/v1/auth/kubernetes-auth/login") return { accessToken: await infisicalLogin(known, body) };
    if (method !== "POST" || !/^\/api\/v1\/auth\/kubernetes-auth\/identities\/[\w-]+$/.test(path))
      throw new BadRequest(path);
    if (headers.authorization !== `Bearer ${session}`) throw new BadRequest("Token missing");
    known = infisicalFields(body);
    return { identityKubernetesAuth: { id: "1", allowedNames: known.allowedNames } };
  });
}

const infisicalTexts = [
  "kubernetesHost",
  "caCert",
  "tokenReviewerJwt",
  "allowedNamespaces",
  "allowedNames",
  "allowedAudience",
];

function infisicalFields(body: Asked["body"]): Record<string, string> {
  for (const field of infisicalTexts)
    if (typeof body[field] !== "string") throw new BadRequest(`${field}: not a string`);
  const unknown = Object.keys(body).filter((field) => ![...infisicalTexts, "tokenReviewMode"].includes(field));
  if (unknown.length > 0) throw new BadRequest(`unknown: ${unknown.join(", ")}`);
  if (!["api", "gateway"].includes(String(body.tokenReviewMode))) throw new BadRequest("tokenReviewMode");
  const { kubernetesHost, caCert } = body as Record<string, string>;
  if (!/^https?:\/\/[^/]+$/.test(kubernetesHost ?? "")) throw new BadRequest("kubernetesHost: not a URL");
  if (caCert) new X509Certificate(caCert);
  return body as Record<string, string>;
}

async function infisicalLogin(
  known: Readonly<Record<string, string>> | undefined,
  body: Asked["body"],
): Promise<string> {
  const { kubernetesHost: server = "", caCert: caPem = "", tokenReviewerJwt: token, ...allowed } = known ?? {};
  using client = KubeClient.direct({ server, caPem, token, label: "Infisical" });
  const { authenticated, username } = await reviewToken(
    client,
    String(body.jwt),
    allowed.allowedAudience ? [allowed.allowedAudience] : undefined,
  );
  const [, , namespace = "", name = ""] = username.split(":");
  const lists = [
    [allowed.allowedNamespaces, namespace],
    [allowed.allowedNames, name],
  ] as const;
  const allows = (list = "", value: string) => list === "" || list.split(",").includes(value);
  if (!authenticated || !lists.every(([list, value]) => allows(list, value))) throw new BadRequest("Access denied");
  return `${namespace}/${name}`;
}
