import type { BearerTokenUser } from "../components/bearerTokenUser.ts";
import type { ClientCertificate } from "../components/clientCertificate.ts";
import type { GatewayAccount } from "../components/gatewayAccount.ts";
import type { RancherKey } from "../components/resources/rancherKey.ts";
import type { TokenReviewer } from "../components/tokenReviewer.ts";

/** The components of the stack whose credentials or permissions are in the outputs. Components that the settings do not enable are absent. */
export interface Flows {
  readonly token?: TokenReviewer;
  readonly certificate?: ClientCertificate;
  readonly rancher?: RancherKey;
  /** Has no credential of the stack: the gateway uses the token of its own pod. */
  readonly gatewayAccount?: GatewayAccount;
  /** Bearer-token users by name. */
  readonly users: Readonly<Record<string, BearerTokenUser>>;
}
