import { type ChannelOptions, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import type { Log } from "./operation.ts";

/** The connection to the engine. */
export interface EngineLink {
  /** A log for one operation on one resource. `flushed` resolves when every message has arrived, or after 2 s. */
  logFor(urn: string): { readonly log: Log; flushed(): Promise<void> };
  /** Whether the engine answers. */
  alive(): Promise<boolean>;
  close(): void;
}

type Severity = 0 | 1 | 2 | 3;
const debug: Severity = 0;
const info: Severity = 1;
const warning: Severity = 2;

const options: ChannelOptions = {
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 500,
  // The engine runs on this machine, so no proxy is used.
  "grpc.enable_http_proxy": 0,
};

/** Connects to the engine at `address` ("127.0.0.1:PORT"). */
export function engineLink(address: string): EngineLink {
  const client = new engineGrpc.EngineClient(address, credentials.createInsecure(), options);
  return {
    logFor(urn) {
      const pending = new Set<Promise<void>>();
      const send = (severity: Severity, message: string, ephemeral = false) => {
        const request = new enginePb.LogRequest();
        request.setSeverity(severity);
        request.setMessage(message);
        request.setUrn(urn);
        request.setEphemeral(ephemeral);
        const sent = new Promise<void>((resolve) => {
          // A lost message must not fail the operation.
          client.log(request, new Metadata(), { deadline: Date.now() + 2_000 }, () => resolve());
        });
        pending.add(sent);
        void sent.then(() => pending.delete(sent));
      };
      return {
        log: {
          debug: (message) => send(debug, message),
          info: (message) => send(info, message),
          warn: (message) => send(warning, message),
          status: (message) => send(info, message, true),
        },
        flushed: async () => {
          await Promise.all(pending);
        },
      };
    },
    alive: () =>
      new Promise((resolve) => {
        const request = new enginePb.GetRootResourceRequest();
        client.getRootResource(
          request,
          new Metadata(),
          { deadline: Date.now() + 5_000 },
          (error: ServiceError | null) => {
            // An error is an answer too, except for 14 (unavailable) and 4 (deadline exceeded).
            resolve(error === null || (error.code !== 14 && error.code !== 4));
          },
        );
      }),
    close: () => client.close(),
  };
}

/** Discards messages, until an engine attaches. */
export const noLink: EngineLink = {
  logFor: () => ({
    log: { debug() {}, info() {}, warn() {}, status() {} },
    flushed: async () => {},
  }),
  alive: async () => true,
  close() {},
};

/** Interval of the checks whether the engine still runs, in milliseconds. */
const pollMs = 500;

/** Whether the engine that started this process still runs. */
export interface EngineWatch {
  /** Whether the engine is known to have ended. */
  gone(): boolean;
  /** Resolves when the engine has ended. */
  readonly ended: Promise<void>;
}

/** Watches the engine: it has ended if its process is no longer the parent, or if its address does not answer twice in a row. */
export function watchEngine(link: EngineLink): EngineWatch {
  const parent = process.ppid;
  let missed = 0;
  let polls = 0;
  let asking = false;
  const gone = () => process.ppid !== parent || missed >= 2;
  const ended = new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (gone()) {
        clearInterval(timer);
        resolve();
      } else if (!asking && polls++ % 2 === 1) {
        // Only every second poll calls the engine. To read the parent's id costs nothing.
        asking = true;
        void link.alive().then((alive) => {
          asking = false;
          missed = alive ? 0 : missed + 1;
        });
      }
    }, pollMs);
    timer.unref();
  });
  return { gone, ended };
}
