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
    retain_days           = number
    environment_variables = map(string)
  })
}

variable "pipeline" {
  description = "The pipeline module, whole (`module.pipeline`). No default."
  type = object({
    certifiers = map(string)
    alarms     = string
  })
}

variable "console" {
  description = "The console's URL, told to who waits for approval, and its client id, which approvers' tokens must have. No default."
  type = object({
    url       = string
    client_id = string
  })
}

variable "relays" {
  description = "Names of the relays behind the one address: as many services of one task each. A name is a place in the evidence and a spool, so it stays. No default; two survive the loss of a zone."
  type        = set(string)

  validation {
    condition     = length(var.relays) > 0 && alltrue([for relay in var.relays : can(regex("^[a-z][a-z0-9-]{0,30}$", relay))])
    error_message = "relays: expected at least one, each at most 31 of a-z, 0-9 and hyphens, beginning with a letter."
  }
}

variable "image" {
  description = "The relay's image, with its digest: `<registry>/<repository>@sha256:…`. No default."
  type        = string
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository that the image is pulled from. Default null: another registry, which needs no right."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the image was built for: `x86_64` or `arm64`. Default x86_64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture: expected x86_64 or arm64."
  }
}

variable "cpu" {
  description = "CPU units of a relay; 1024 are one core. Default 1024: at 40 µs a transaction some 20,000 a second, of which TLS, masking and disk take their part."
  type        = number
  default     = 1024
}

variable "memory_mb" {
  description = "Memory of a relay in MB, as Fargate has it with these CPU units. Default 2048: 40 kB an idle connection, and segments on their way."
  type        = number
  default     = 2048
}

variable "vpc_id" {
  description = "VPC. No default."
  type        = string
}

variable "subnets" {
  description = "Private subnets of relays, spool and load balancer, one a zone. They need a way to your issuer. No default."
  type        = list(string)
}

variable "load_balancer_subnets" {
  description = "Subnets of the load balancer. Default null: `subnets`."
  type        = list(string)
  default     = null
}

variable "internal" {
  description = "Whether the load balancer has private addresses alone. Default true."
  type        = bool
  default     = true
}

variable "client_cidrs" {
  description = "IPv4 ranges that may connect. No default."
  type        = set(string)
}

variable "target_cidrs" {
  description = "IPv4 ranges where target databases are. No default."
  type        = set(string)
}

variable "https_cidrs" {
  description = "IPv4 ranges that a relay may speak HTTPS to: AWS and your issuer. Default everywhere; narrow it where the issuer's addresses are known."
  type        = set(string)
  default     = ["0.0.0.0/0"]
}

variable "port" {
  description = "TCP port of load balancer and relay. Default 5432."
  type        = number
  default     = 5432
}

variable "tls_secret_arn" {
  description = "ARN of the secret with the relay's TLS certificate: JSON with `certificate` (PEM chain, leaf first), `key` (PEM), `ca` (PEM, which relays verify each other against). The certificate must have your name for the load balancer and `relays.<name>.internal`. No default."
  type        = string
}

variable "issuers" {
  description = "Issuers of engineers' tokens: URL, required `aud`, claim with groups. No default."
  type = list(object({
    issuer       = string
    audience     = string
    groups_claim = optional(string, "groups")
  }))

  validation {
    condition     = length(var.issuers) > 0 && alltrue([for issuer in var.issuers : issuer.audience != var.console.client_id])
    error_message = "issuers: expected at least one, none with the console's client id as audience: a stored decision's token would open sessions."
  }
}

variable "connections" {
  description = "Target databases by the name that clients ask for, as in the relay's configuration. The password comes from a secret with the JSON keys `username` and `password`, as RDS makes it, or from RDS's IAM authentication (`rds_resource_id`, e.g. `db-ABC`). `ca` is the PEM of who signs the target's certificate (RDS: the bundle of your region, <https://truststore.pki.rds.amazonaws.com>); without it Mozilla's authorities, of which RDS's own are none. `classification` is the text of the TOML file. Times in seconds. No default."
  type = map(object({
    host             = string
    port             = optional(number, 5432)
    database         = string
    user             = string
    secret_arn       = optional(string)
    rds_resource_id  = optional(string)
    ca               = optional(string)
    search_path      = optional(list(string), ["public"])
    classification   = string
    idle_seconds     = optional(number, 900)
    approval_seconds = optional(number, 900)
  }))

  validation {
    condition     = alltrue([for connection in var.connections : (connection.secret_arn == null) != (connection.rds_resource_id == null)])
    error_message = "connections: each needs one of secret_arn and rds_resource_id."
  }

  validation {
    condition     = alltrue([for connection in var.connections : connection.approval_seconds <= 5400])
    error_message = "connections: expected approval_seconds of at most 5400; the load balancer ends what is silent for 6000."
  }
}

variable "policies" {
  description = "Cedar policies: file name, ending in `.cedar`, to text. No default."
  type        = map(string)

  validation {
    condition     = length(var.policies) > 0 && alltrue([for name, _ in var.policies : can(regex("^[a-z0-9-]+\\.cedar$", name))])
    error_message = "policies: expected at least one, named like `engineers.cedar`."
  }
}

variable "secret_key_arns" {
  description = "ARNs of the KMS keys that the secrets are encrypted with, where these are not AWS's own. Default none."
  type        = list(string)
  default     = []
}

variable "spool_bytes" {
  description = "Bytes that a relay's spool may hold; beyond it nothing is served, for nothing is served unrecorded. Default 4 GiB."
  type        = number
  default     = 4294967296
}

variable "when_full" {
  description = "What sessions do when the spool is full: `stop` (they end) or `hold` (they wait for room). Default stop."
  type        = string
  default     = "stop"

  validation {
    condition     = contains(["stop", "hold"], var.when_full)
    error_message = "when_full: expected stop or hold."
  }
}

variable "drain_seconds" {
  description = "Seconds that sessions may go on after SIGTERM, 0 to 90: Fargate kills after 120, and what they recorded must still be stored. Default 60."
  type        = number
  default     = 60

  validation {
    condition     = var.drain_seconds >= 0 && var.drain_seconds <= 90
    error_message = "drain_seconds: expected 0 to 90."
  }
}

variable "endpoints" {
  description = "Whether to make VPC endpoints for what relays use of AWS (S3, KMS, Secrets Manager, Lambda, logs, ECR), so that evidence never leaves the VPC. Default true; false where the VPC has them."
  type        = bool
  default     = true
}

variable "route_table_ids" {
  description = "Route tables of `subnets`, which get the way to S3's endpoint. Default none, where `endpoints` is false."
  type        = list(string)
  default     = []

  validation {
    condition     = !var.endpoints || length(var.route_table_ids) > 0
    error_message = "route_table_ids: expected at least one where endpoints are made."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer is protected from deletion. Default true."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the configuration's bucket, for trials. Default false."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "Days that relays' logs are kept, as CloudWatch Logs knows them. Default 2192."
  type        = number
  default     = 2192
}
