variable "name" {
  description = "Name of function, role and log group, e.g. `affidavit-clinic-production-sealer`: at most 64 characters. No default."
  type        = string
}

variable "description" {
  description = "What it does, for people. No default."
  type        = string
}

variable "zip" {
  description = "Path of the zip that holds its `bootstrap`. No default."
  type        = string
}

variable "architecture" {
  description = "What it was built for: `x86_64` or `arm64`. Default x86_64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture: expected x86_64 or arm64."
  }
}

variable "memory_mb" {
  description = "Memory in MB, 128 to 10240; CPU comes with it, a whole one at 1769. No default."
  type        = number
}

variable "timeout_seconds" {
  description = "Seconds until an invocation is ended, 1 to 900. No default."
  type        = number
}

variable "scratch_mb" {
  description = "MB below /tmp, 512 to 10240. Default 512."
  type        = number
  default     = 512
}

variable "concurrency" {
  description = "Invocations at once, reserved for it; -1 reserves none. Default -1, for accounts with a limit of 10 can reserve nothing."
  type        = number
  default     = -1
}

variable "retries" {
  description = "How often an asynchronous invocation that failed is tried again, 0 to 2. Default 2."
  type        = number
  default     = 2
}

variable "environment" {
  description = "Its environment variables (infra/README.md, Contract). No default."
  type        = map(string)
}

variable "statements" {
  description = "IAM statements of its role, all that it may do but write its own log and tell what failed. No default."
  type        = any
}

variable "storage_key" {
  description = "ARN of the KMS key for its log and environment. No default."
  type        = string
}

variable "dead_letters" {
  description = "ARN of the queue for asynchronous invocations that failed for good. No default."
  type        = string
}

variable "alarms" {
  description = "ARN of the SNS topic for alarms. No default."
  type        = string
}

variable "log_days" {
  description = "Days that its log is kept, as CloudWatch Logs knows them. Default 2192."
  type        = number
  default     = 2192
}
