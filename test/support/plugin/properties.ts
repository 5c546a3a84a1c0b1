/** Property values as they go over the wire: unknown ones, and secrets. */
import structPb from "google-protobuf/google/protobuf/struct_pb.js";

export const unknownMark = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const signature = "4dabf18193072939515e22adb298388d";
const secretMark = "1b47061264138c4ac30d75fd1eb44270";

export type Properties = Readonly<Record<string, unknown>>;

export function secretOf(value: unknown): Properties {
  return { [signature]: secretMark, value };
}

export function isSecret(value: unknown): boolean {
  return (value as Properties | undefined)?.[signature] === secretMark;
}

export function struct(value: Properties): InstanceType<typeof structPb.Struct> {
  return structPb.Struct.fromJavaScript(JSON.parse(JSON.stringify(value)));
}

export function plain(value: InstanceType<typeof structPb.Struct> | undefined): Properties {
  return (value?.toJavaScript() ?? {}) as Properties;
}

/** Removes the marks of secrets. */
export function revealed(properties: Properties): Properties {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [key, isSecret(value) ? (value as Properties).value : value]),
  );
}
