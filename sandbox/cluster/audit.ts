/**
 * Audit policy of a sandbox: all token requests, and all requests of users other than the cluster's components and its administrator, whose
 * requests are too many.
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
