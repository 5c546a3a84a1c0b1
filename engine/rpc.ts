import grpc from "@grpc/grpc-js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import type { Properties } from "./values.ts";

type Struct = InstanceType<typeof struct.Struct>;

/** gRPC's own limit is 4 MiB; Pulumi's engine and SDK allow 400. */
export const channelOptions: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": 400 * 1024 * 1024,
  "grpc.max_send_message_length": 400 * 1024 * 1024,
};

export function toStruct(properties: Properties): Struct {
  // Struct knows no undefined; JSON drops those members, as Pulumi's SDK does.
  return struct.Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)));
}

export function fromStruct(message: Struct | undefined): Properties {
  return (message?.toJavaScript() ?? {}) as Properties;
}

/** Makes one unary call of a generated client. */
export function call<Request, Response>(
  method: (request: Request, callback: (error: grpc.ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

/** Serves a unary method by an async function; what it throws is answered as a gRPC error with its message. */
export function serve<Request, Response>(
  handle: (request: Request) => Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return (request, respond) => {
    handle(request.request).then(
      (response) => respond(null, response),
      (error: unknown) => {
        const code = (error as { grpcStatus?: grpc.status }).grpcStatus ?? grpc.status.UNKNOWN;
        respond({ code, message: error instanceof Error ? error.message : String(error) });
      },
    );
  };
}

/** The error that a generated client or service takes for "this method does not exist here". */
export function unimplemented(method: string): Error {
  return Object.assign(new Error(`${method} is not implemented`), { grpcStatus: grpc.status.UNIMPLEMENTED });
}

/** Starts a server on a free loopback port; answers its address. */
export function listen(server: grpc.Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(`127.0.0.1:${port}`);
    });
  });
}
