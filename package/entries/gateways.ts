/** Auth configs of gateway products, from access data. */
export * from "../../gateways/index.ts";
