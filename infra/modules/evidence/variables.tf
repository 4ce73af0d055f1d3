variable "name" {
  description = "What every resource's name begins with, e.g. `affidavit-clinic-production`: 3 to 30 of a-z, 0-9 and hyphens. No default."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 30 of a-z, 0-9 and hyphens, beginning with a letter and not ending in a hyphen."
  }
}

variable "tenant" {
  description = "Whose evidence this is: part of every object key, as in the relay's configuration. No default."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{0,62}$", var.tenant))
    error_message = "tenant: expected a name of a-z, 0-9, dot, hyphen and underscore."
  }
}

variable "environment" {
  description = "Such as `production`: part of every object key, as in the relay's configuration. No default."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{0,62}$", var.environment))
    error_message = "environment: expected a name of a-z, 0-9, dot, hyphen and underscore."
  }
}

variable "lock_mode" {
  description = "Object Lock: `COMPLIANCE` (nobody ends a retention early, the account's root neither) or `GOVERNANCE` (who has s3:BypassGovernanceRetention does: for trials). Default COMPLIANCE."
  type        = string
  default     = "COMPLIANCE"

  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.lock_mode)
    error_message = "lock_mode: expected COMPLIANCE or GOVERNANCE."
  }
}

variable "retain_days" {
  description = "Days that evidence cannot be deleted. Default 2192, six years (45 CFR 164.316(b)(2)(i)); fewer with GOVERNANCE alone, at least 1."
  type        = number
  default     = 2192

  validation {
    condition     = var.retain_days >= (var.lock_mode == "GOVERNANCE" ? 1 : 2192)
    error_message = "retain_days: expected at least 2192 with lock_mode COMPLIANCE, at least 1 with GOVERNANCE."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the buckets, and administrators may lay delete markers over evidence: for trials. Default false: then the bucket policies deny deletion to everybody."
  type        = bool
  default     = false

  validation {
    condition     = !var.force_destroy || var.lock_mode == "GOVERNANCE"
    error_message = "force_destroy: expected false with lock_mode COMPLIANCE, where it could not succeed anyway."
  }
}

variable "key_deletion_days" {
  description = "Days that a KMS key waits between its deletion being asked for and done, 7 to 30. Default 30. Evidence whose data key is gone cannot be opened any more."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days: expected 7 to 30."
  }
}

variable "access_log_days" {
  description = "Days that S3 server access logs are kept, at least 1. Default 2192, as evidence."
  type        = number
  default     = 2192
}

variable "athena_result_days" {
  description = "Days that results of Athena queries are kept in the lake bucket, at least 1. Default 7."
  type        = number
  default     = 7
}

variable "signers" {
  description = "Role ARN that alone may sign with each key: `certificates` the certifier's, `checkpoints` the sealer's, `approvals` the console's, `bundles` the bundler's. No default. No role may stand twice."
  type = object({
    certificates = string
    checkpoints  = string
    approvals    = string
    bundles      = string
  })
}

variable "relay_roles" {
  description = "Role ARNs of the relays: they alone wrap sessions' keys, and open them again to complete what a dead relay left. No default."
  type        = list(string)

  validation {
    condition     = length(var.relay_roles) > 0
    error_message = "relay_roles: expected at least one."
  }
}

variable "other_runtime_roles" {
  description = "Role ARNs of the programs that sign nothing (the indexer): they are denied deletion as the others are. Default none."
  type        = list(string)
  default     = []
}

variable "result_readers" {
  description = "ARNs of roles of people who may open what sessions recorded of results (`auditor replay` with keys). Default none: then nobody but a recovering relay opens them."
  type        = list(string)
  default     = []
}
