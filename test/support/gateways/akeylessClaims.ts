/** Claims of Kubernetes logins at Akeyless that roles can require. */
export const claimsOfLogins = [
  "service_account_name",
  "service_account_uid",
  "service_account_secret_name",
  "namespace",
  "aud",
  "pod_name",
  "pod_uid",
  "config_name",
  "config_id",
  "client_ip",
  "client_unique_id",
  "k8s_id",
  "use_pod_id_in_unique_id",
];
