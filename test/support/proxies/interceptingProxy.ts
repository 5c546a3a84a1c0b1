import { once } from "node:events";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";

export interface InterceptingProxy extends AsyncDisposable {
  readonly url: string;
  /** The CA of the proxy's own certificate. */
  readonly caPem: string;
  /**
   * Called for each request after the API server has executed it, and before the client gets the answer. If it returns false, the client gets
   * none.
   */
  answered: (method: string, path: string, status: number) => boolean | Promise<boolean>;
}

/** Starts a proxy in front of the real API server. It terminates TLS, so clients must use tokens and not certificates. */
export async function interceptingProxy(server: string, caPem: string): Promise<InterceptingProxy> {
  const ca = makeCertificate({ commonName: "proxy-ca" });
  const identity = makeCertificate({ commonName: "proxy", issuer: ca, names: ["127.0.0.1"] });
  const proxy = createServer({ cert: identity.certPem, key: identity.keyPem }, (incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    const upstream = request(server + url, { method, headers, ca: caPem, agent: false }, async (answer) => {
      if (!(await handle.answered(method, url, answer.statusCode ?? 0))) {
        answer.resume();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const handle: InterceptingProxy = {
    url: `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caPem: ca.certPem,
    answered: () => true,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
  return handle;
}
