// Unlike gRPC for Go, gRPC for Node.js sends calls to 127.0.0.1 through a proxy, unless `no_grpc_proxy` excludes the address.
"use strict";

const loopback = ["127.0.0.1", "localhost", "::1"];

/** Excludes this machine from gRPC's proxy. Only gRPC reads `no_grpc_proxy`, instead of `no_proxy`. HTTP requests are not affected. */
function noProxyForLoopback(env) {
  const given = env.no_grpc_proxy || env.no_proxy;
  env.no_grpc_proxy = [...(given ? [given] : []), ...loopback].join(",");
}

module.exports = { noProxyForLoopback };
