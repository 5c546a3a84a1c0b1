locals {
  config = sensitive(jsondecode(file("${path.module}/akeyless.json")))
}

resource "akeyless_k8s_auth_config" "cluster" {
  name                      = local.config["name"]
  access_id                 = local.config["access-id"]
  signing_key               = local.config["signing-key"]
  cluster_api_type          = local.config["cluster-api-type"]
  k8s_auth_type             = local.config["k8s-auth-type"]
  k8s_host                  = local.config["k8s-host"]
  k8s_ca_cert               = local.config["k8s-ca-cert"]
  token_reviewer_jwt        = local.config["token-reviewer-jwt"]
  k8s_issuer                = local.config["k8s-issuer"]
  disable_issuer_validation = local.config["disable-issuer-validation"]
}
