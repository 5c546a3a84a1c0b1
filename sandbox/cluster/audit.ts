/**
 * Audit policy of a sandbox. It logs all token requests. It logs other requests of all users except the cluster's components and its
 * administrator, who send too many.
 */
export const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "Metadata", resources: [{ group: "", resources: ["serviceaccounts/token"] }] },
    { level: "None", userGroups: ["system:masters", "system:nodes", "system:serviceaccounts:kube-system"] },
    { level: "Metadata" },
  ],
} as const;
