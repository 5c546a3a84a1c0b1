terraform {
  required_providers {
    akeyless = {
      source  = "akeyless-community/akeyless"
      version = ">= 1.11"
    }
  }
}

variable "gateway_api" {
  description = "REST API v2 of the gateway: https://GATEWAY:8000/api/v2, or https://GATEWAY:8081 on an older gateway"
  type        = string
}

# AKEYLESS_ACCESS_ID and AKEYLESS_ACCESS_KEY come from the environment.
provider "akeyless" {
  api_gateway_address = var.gateway_api
  api_key_login {}
}

locals {
  config = sensitive(jsondecode(file("${path.module}/akeyless.json")))
}

# The config has no CA if a public one signed the API server's certificate, and no issuer if it is not known.
resource "akeyless_k8s_auth_config" "cluster" {
  name                      = local.config["name"]
  access_id                 = local.config["access-id"]
  signing_key               = local.config["signing-key"]
  cluster_api_type          = local.config["cluster-api-type"]
  k8s_auth_type             = local.config["k8s-auth-type"]
  k8s_host                  = local.config["k8s-host"]
  k8s_ca_cert               = try(local.config["k8s-ca-cert"], null)
  token_reviewer_jwt        = local.config["token-reviewer-jwt"]
  k8s_issuer                = try(local.config["k8s-issuer"], null)
  disable_issuer_validation = local.config["disable-issuer-validation"]
  token_exp                 = try(local.config["token-exp"], null)
}
