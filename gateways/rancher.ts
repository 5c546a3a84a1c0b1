import { GatewayInputError } from "./access.ts";

/** The root URL of a Rancher server; what gateways add behind it (`/k8s/clusters/ID`) is no part of it. @throws GatewayInputError */
export function rancherServerUrl(field: string, host: string): string {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search || url.hash || url.username) {
    throw new GatewayInputError(
      field,
      "is not the root URL of a Rancher server (https://HOST); the gateway adds /k8s/clusters/ID itself",
    );
  }
  return url.origin;
}

/** The bearer token of an API key, without "Bearer ". @throws GatewayInputError that does not show it */
export function rancherApiKey(field: string, value: string): string {
  const key = value.trim().replace(/^Bearer\s+/i, "");
  if (/^[\w.-]+:[\w.-]+$/.test(key)) return key;
  throw new GatewayInputError(field, "is not the bearer token of a Rancher API key (NAME:SECRET)");
}

/** A cluster's id in Rancher. @throws GatewayInputError */
export function rancherClusterId(field: string, value: string): string {
  const id = value.trim();
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(id)) return id;
  throw new GatewayInputError(field, 'is not a cluster id of Rancher such as "c-abcde"');
}
