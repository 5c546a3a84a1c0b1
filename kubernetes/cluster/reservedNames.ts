/** Start of the names of users and groups that have rights of Kubernetes or kubeadm, such as system:masters and kubeadm:cluster-admins. */
const reservedPrefixes = ["system:", "kubeadm:"] as const;

/** The reserved prefix of a user's or a group's name, whatever its case and the blanks before it; undefined if it has none. */
export function reservedPrefix(name: string): string | undefined {
  const start = name.trimStart().toLowerCase();
  return reservedPrefixes.find((prefix) => start.startsWith(prefix));
}
