/** The part of an engine that plugins call back. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as engine from "@pulumi/pulumi/proto/engine_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";

export interface LogLine {
  readonly severity: "debug" | "info" | "warning" | "error";
  readonly message: string;
  readonly urn: string;
  readonly ephemeral: boolean;
}

/** The part of an engine that plugins call back. */
export interface FakeEngine extends AsyncDisposable {
  readonly address: string;
  readonly lines: LogLine[];
  stop(): void;
}

export async function startEngine(): Promise<FakeEngine> {
  const lines: LogLine[] = [];
  const server = new Server();
  server.addService(engineGrpc.EngineService, {
    log(call: { request: engine.LogRequest }, callback: (error: null, answer: object) => void) {
      const severity = (["debug", "info", "warning", "error"] as const)[call.request.getSeverity()] ?? "error";
      lines.push({
        severity,
        message: call.request.getMessage(),
        urn: call.request.getUrn(),
        ephemeral: call.request.getEphemeral(),
      });
      callback(null, new emptyPb.Empty());
    },
    getRootResource(_call: unknown, callback: (error: null, answer: object) => void) {
      callback(null, new enginePb.GetRootResourceResponse());
    },
    setRootResource(_call: unknown, callback: (error: null, answer: object) => void) {
      callback(null, new enginePb.SetRootResourceResponse());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    lines,
    stop: () => server.forceShutdown(),
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}
