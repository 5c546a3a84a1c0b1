// gRPC for Node.js sends calls to 127.0.0.1 through a proxy too, unless it is told otherwise. Go's never does.
"use strict";

const loopback = ["127.0.0.1", "localhost", "::1"];

/**
 * Keeps gRPC with this machine away from every proxy. The variable is gRPC's alone and replaces `no_proxy` there: HTTP requests keep the
 * user's proxy settings.
 */
function noProxyForLoopback(env) {
  const given = env.no_grpc_proxy || env.no_proxy;
  env.no_grpc_proxy = [...(given ? [given] : []), ...loopback].join(",");
}

module.exports = { noProxyForLoopback };
