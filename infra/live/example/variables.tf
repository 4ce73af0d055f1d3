variable "region" {
  description = "AWS region. Default us-east-1."
  type        = string
  default     = "us-east-1"
}

variable "zones" {
  description = "Two availability zones of the region. Default us-east-1a and us-east-1b."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]

  validation {
    condition     = length(var.zones) == 2
    error_message = "zones: expected two."
  }
}

variable "retain_days" {
  description = "Days that evidence is locked, with GOVERNANCE. Default 1, for a trial."
  type        = number
  default     = 1
}

variable "tenant" {
  description = "Whose evidence. Default clinic. With `environment` at most 19 characters."
  type        = string
  default     = "clinic"
}

variable "environment" {
  description = "Which environment. Default trial."
  type        = string
  default     = "trial"
}

variable "relays" {
  description = "Names of the relays. Default two, one of which may fail."
  type        = set(string)
  default     = ["one", "two"]
}

variable "lambdas" {
  description = "Folder with the functions' zips (`make lambdas`). No default."
  type        = string
}

variable "architecture" {
  description = "What zips and image were built for: `x86_64` or `arm64`. Default x86_64."
  type        = string
  default     = "x86_64"
}

variable "image" {
  description = "The relay's image, with its digest (`make image`, pushed to a registry of yours). No default."
  type        = string
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository that the image is in. Default null: another registry."
  type        = string
  default     = null
}

variable "tls_secret_arn" {
  description = "ARN of the secret with the relay's certificate: JSON with certificate, key and ca in PEM. No default."
  type        = string
}

variable "database" {
  description = "The target: host, port, database, login, the ARN of a secret with the JSON keys username and password, and the certificates (PEM) of the authority that its own is by, where that is none of the well-known ones, as RDS's is not. No default."
  type = object({
    host       = string
    port       = optional(number, 5432)
    ca         = optional(string)
    name       = string
    user       = string
    secret_arn = string
  })
}

variable "issuers" {
  description = "Issuers of engineers' tokens: URL, required audience, claim with groups. No default."
  type = list(object({
    issuer       = string
    audience     = string
    groups_claim = optional(string, "groups")
  }))
}

variable "oidc" {
  description = "Issuer of approvers' and reviewers' tokens, the console's client there, and the claim with groups. Default null: then `cognito`."
  type = object({
    issuer       = string
    client_id    = string
    groups_claim = optional(string, "groups")
  })
  default = null
}

variable "cognito" {
  description = "Makes a Cognito user pool that federates SAML (see the console module). Default null: then `oidc`."
  type = object({
    domain_prefix      = string
    saml_metadata_url  = string
    groups_attribute   = optional(string, "http://schemas.xmlsoap.org/claims/Group")
    email_attribute    = optional(string, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress")
    engineer_callbacks = optional(list(string), ["http://localhost:8400/callback"])
  })
  default = null
}

variable "result_readers" {
  description = "ARNs of roles of people who may open recorded results. Default none."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "E-mail addresses for alarms. Default none."
  type        = set(string)
  default     = []
}

variable "cidr" {
  description = "IPv4 range of the VPC, a /16 to /24. Default 10.40.0.0/16."
  type        = string
  default     = "10.40.0.0/16"
}
