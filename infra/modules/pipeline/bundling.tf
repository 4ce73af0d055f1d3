# The bundler is invoked by the console, and by whoever may invoke it with a period. Its steps (plan, part, merge) are
# apart in the code, so that a state machine may run them when bundles outgrow one invocation.

module "bundler" {
  source = "../function"

  name            = "${local.name}-bundler"
  description     = "Makes a signed bundle of a period's evidence"
  zip             = "${var.lambdas}/bundler.zip"
  architecture    = var.architecture
  timeout_seconds = 900 # Lambda's longest; at 100 MB/s and less, some tens of GB do not fit into it.
  memory_mb       = var.bundle_memory_mb
  scratch_mb      = var.bundle_scratch_mb
  retries         = 0 # A second attempt would be another bundle; whoever asked asks again.
  log_days        = var.log_days
  storage_key     = local.keys.storage
  dead_letters    = aws_sqs_queue.dead_letters.arn
  alarms          = aws_sns_topic.alarms.arn

  environment = merge(local.common, {
    AFFIDAVIT_KEY_CHECKPOINTS = local.keys.checkpoints
    AFFIDAVIT_KEY_BUNDLES     = local.keys.bundles
    AFFIDAVIT_WORK            = "/tmp"
  })

  # No right to the data key: replay pages in a bundle show no results.
  statements = concat(
    local.may.open,
    local.may.read.evidence,
    local.may.read.trust,
    local.may.read.shredded,
    local.may.read.log,
    local.may.read.bundles,
    local.may.put.bundles,
    local.may.public_key.certificates,
    local.may.public_key.checkpoints,
    local.may.sign.bundles,
    local.may.never,
  )
}
