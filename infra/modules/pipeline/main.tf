# What works on stored evidence: index.tf finds it, sealing.tf logs it and certifies keys, bundling.tf makes bundles,
# lake.tf asks questions, watch.tf says when something is wrong.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  name      = var.name
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
  keys      = var.evidence.keys
  may       = var.evidence.statements

  # Public keys are read from KMS: a copy in an environment variable would be one more place to change them.
  common = merge(var.evidence.environment_variables, {
    AFFIDAVIT_KEY_CERTIFICATES = local.keys.certificates
    AFFIDAVIT_METRICS          = local.metrics
    RUST_LOG                   = "info"
  })
  metrics = "Affidavit/${local.name}"
}

# Asynchronous invocations and schedules that failed for good.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = local.keys.storage
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = jsonencode({ Version = "2012-10-17", Statement = [merge(local.tls_only_queue, { Resource = aws_sqs_queue.dead_letters.arn })] })
}

locals {
  tls_only_queue = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}
