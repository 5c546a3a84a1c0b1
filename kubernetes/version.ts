/** Major and minor number of a version ("v1.36.3", "v1.31.2-eks-7f9249a"); undefined for a text that is not a version. */
export function numbersOf(version: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}
