variable "name" {
  description = "What every resource's name begins with, as in the evidence module. Apart from `evidence`, for roles are there before keys are. No default."
  type        = string
}

variable "evidence" {
  description = "The evidence module, whole (`module.evidence`). No default."
  type = object({
    tenant                = string
    environment           = string
    bucket_arns           = map(string)
    places                = map(object({ bucket = string, prefix = string }))
    keys                  = map(string)
    statements            = any
    key_administration    = any
    environment_variables = map(string)
  })
}

variable "pipeline" {
  description = "The pipeline module, whole (`module.pipeline`). No default."
  type = object({
    functions    = map(string)
    table        = object({ name = string, arn = string })
    alarms       = string
    dead_letters = string
  })
}

variable "lambdas" {
  description = "Folder with console.zip (`make lambdas`). No default."
  type        = string
}

variable "architecture" {
  description = "What the zip was built for: `x86_64` or `arm64`. Default x86_64."
  type        = string
  default     = "x86_64"
}

variable "oidc" {
  description = "Your OpenID Connect issuer: its URL, the console's client id there (a public client with PKCE and the redirect URI `<console>/callback`, of no other use), and the claim with a person's groups. Signatures must be RSA. Default null: `cognito` makes one."
  type = object({
    issuer       = string
    client_id    = string
    groups_claim = optional(string, "groups")
  })
  default = null

  validation {
    condition     = var.oidc == null || can(regex("^https://", var.oidc.issuer))
    error_message = "oidc.issuer: expected an https URL."
  }
}

variable "cognito" {
  description = "Makes a Cognito user pool that federates a SAML identity provider, as issuer for console and relay: prefix of its domain, URL of the provider's metadata, the SAML attribute with groups, redirect URIs of engineers' programs. Default null. Give this or `oidc`."
  type = object({
    domain_prefix      = string
    saml_metadata_url  = string
    groups_attribute   = optional(string, "http://schemas.xmlsoap.org/claims/Group")
    email_attribute    = optional(string, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress")
    engineer_callbacks = optional(list(string), ["http://localhost:8400/callback"])
  })
  default = null

  validation {
    condition     = (var.cognito == null) != (var.oidc == null)
    error_message = "Expected one of oidc and cognito."
  }
}

variable "approvers" {
  description = "Groups that see requests for approval and decide on them; the relay's policy has the last word. Default [\"approvers\"]."
  type        = list(string)
  default     = ["approvers"]
}

variable "reviewers" {
  description = "Groups that see requests, sessions and bundles. Default [\"reviewers\"]."
  type        = list(string)
  default     = ["reviewers"]
}

variable "domain" {
  description = "Your own host name for the console and the ARN of an ACM certificate for it, in this region; you point the name at the output `domain_target`. Default null: API Gateway's own name."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "requests_per_second" {
  description = "Requests a second that are served in the long run, at least 1; five times as many in a burst. Default 20: people and a few programs."
  type        = number
  default     = 20
}

variable "force_destroy" {
  description = "Whether Cognito's user pool may be deleted, for trials. Default false."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "Days that the console's logs are kept, as CloudWatch Logs knows them. Default 2192."
  type        = number
  default     = 2192
}
