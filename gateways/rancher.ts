import { GatewayInputError } from "./access.ts";

/** Checks the root URL of a Rancher server, to which gateways append `/k8s/clusters/ID`. @throws GatewayInputError */
export function rancherServerUrl(field: string, host: string): string {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search || url.hash || url.username) {
    throw new GatewayInputError(
      field,
      "is not the root URL of a Rancher server (https://HOST). The gateway appends /k8s/clusters/ID",
    );
  }
  return url.origin;
}

/** Checks the bearer token (`NAME:SECRET`) of an API key and removes "Bearer ". @throws GatewayInputError */
export function rancherApiKey(field: string, value: string): string {
  const key = value.trim().replace(/^Bearer\s+/i, "");
  if (/^[\w.-]+:[\w.-]+$/.test(key)) return key;
  throw new GatewayInputError(field, "is not the bearer token of a Rancher API key (NAME:SECRET)");
}

/** Checks the id of a cluster in Rancher. @throws GatewayInputError */
export function rancherClusterId(field: string, value: string): string {
  const id = value.trim();
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(id)) return id;
  throw new GatewayInputError(field, 'is not a cluster id of Rancher such as "c-abcde"');
}
