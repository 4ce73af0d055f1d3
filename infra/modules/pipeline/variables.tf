variable "name" {
  description = "What every resource's name begins with, as in the evidence module. Apart from `evidence`, for roles are there before keys are. No default."
  type        = string
}

variable "evidence" {
  description = "The evidence module, whole (`module.evidence`). No default."
  type = object({
    tenant                = string
    environment           = string
    buckets               = map(string)
    bucket_arns           = map(string)
    places                = map(object({ bucket = string, prefix = string }))
    keys                  = map(string)
    statements            = any
    environment_variables = map(string)
  })
}

variable "lambdas" {
  description = "Folder with indexer.zip, sealer.zip, certifier.zip and bundler.zip (`make lambdas`). No default."
  type        = string
}

variable "architecture" {
  description = "What the zips were built for: `x86_64` or `arm64`. Default x86_64."
  type        = string
  default     = "x86_64"
}

variable "relays" {
  description = "Names of the relays that may get certificates, as in their configurations; an alias of the certifier for each. No default."
  type        = set(string)

  validation {
    condition     = length(var.relays) > 0 && alltrue([for relay in var.relays : can(regex("^[a-z][a-z0-9-]{0,30}$", relay))])
    error_message = "relays: expected at least one, each at most 31 of a-z, 0-9 and hyphens, beginning with a letter."
  }
}

variable "sealer_minutes" {
  description = "Minutes between two runs of the sealer, at least 1 (a schedule's least). Default 1: so long a statement may wait for the log."
  type        = number
  default     = 1

  validation {
    condition     = var.sealer_minutes >= 1 && var.sealer_minutes <= 60
    error_message = "sealer_minutes: expected 1 to 60."
  }
}

variable "certificate_hours" {
  description = "Hours that a relay's certificate is valid, 1 to 168. Default 24: a stolen key serves no longer."
  type        = number
  default     = 24

  validation {
    condition     = var.certificate_hours >= 1 && var.certificate_hours <= 168
    error_message = "certificate_hours: expected 1 to 168."
  }
}

variable "bundle_memory_mb" {
  description = "Memory of the bundler in MB, 512 to 10240. Default 3008: about 1.7 cores, and a bundle's tables while they are written."
  type        = number
  default     = 3008
}

variable "bundle_scratch_mb" {
  description = "MB below /tmp for a bundle in the making, 512 to 10240. Default 10240: with less, large bundles fail."
  type        = number
  default     = 10240
}

variable "indexer_at_once" {
  description = "Batches indexed at once, 2 to 1000. Default 10."
  type        = number
  default     = 10
}

variable "reserve_concurrency" {
  description = "Whether the sealer is given one invocation of its own and no second one at once. Default false, for accounts with a limit of 10 can reserve nothing; two sealers at once do no harm."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether the index table is protected from deletion. Default true. What is in it can be made again from the evidence."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "Days that logs of functions are kept, as CloudWatch Logs knows them. Default 2192."
  type        = number
  default     = 2192
}

variable "alarm_emails" {
  description = "E-mail addresses that alarms go to; each must confirm. Default none: subscribe something to the topic yourself."
  type        = set(string)
  default     = []
}

variable "athena_scan_gb" {
  description = "GB that one Athena query may scan before it is ended, at least 1. Default 100, about half a dollar."
  type        = number
  default     = 100
}
