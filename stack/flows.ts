import type { BearerTokenUser } from "../components/bearerTokenUser.ts";
import type { ClientCertificate } from "../components/clientCertificate.ts";
import type { GatewayAccount } from "../components/gatewayAccount.ts";
import type { RancherKey } from "../components/resources/rancherKey.ts";
import type { TokenReviewer } from "../components/tokenReviewer.ts";

/** The components that the settings ask for and whose credentials or permissions the outputs describe. */
export interface Flows {
  readonly token?: TokenReviewer;
  readonly certificate?: ClientCertificate;
  readonly rancher?: RancherKey;
  /** Has no credential of the stack: the gateway uses the token of its own pod. */
  readonly gatewayAccount?: GatewayAccount;
  /** By name. */
  readonly users: Readonly<Record<string, BearerTokenUser>>;
}
