# The sealer appends what is stored to the log and signs checkpoints; the certifier certifies relays and the other keys.

module "sealer" {
  source = "../function"

  name            = "${local.name}-sealer"
  description     = "Appends stored statements to the transparency log and signs its checkpoints"
  zip             = "${var.lambdas}/sealer.zip"
  architecture    = var.architecture
  timeout_seconds = 600  # A backlog of a day is some hundred thousand statements, each read once.
  memory_mb       = 1769 # One core: it hashes and verifies a signature a statement. Its state has some hundred bytes a session.
  concurrency     = var.reserve_concurrency ? 1 : -1
  retries         = 0 # The next run does what this one did not.
  log_days        = var.log_days
  storage_key     = local.keys.storage
  dead_letters    = aws_sqs_queue.dead_letters.arn
  alarms          = aws_sns_topic.alarms.arn

  environment = merge(local.common, {
    AFFIDAVIT_KEY_CHECKPOINTS = local.keys.checkpoints
  })

  statements = concat(
    local.may.open,
    local.may.read.evidence,
    local.may.read.trust,
    local.may.read.log,
    local.may.put.log,
    local.may.prune_log,
    local.may.public_key.certificates,
    local.may.sign.checkpoints,
    [{
      # The one thing that it says about a relay: that nobody waits for it any more.
      Sid      = "PutAbandoned"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:PutObjectRetention"]
      Resource = "${var.evidence.bucket_arns.evidence}/${var.evidence.places.evidence.prefix}*/abandoned.json"
    }],
    local.may.never,
  )
}

module "certifier" {
  source = "../function"

  name            = "${local.name}-certifier"
  description     = "Certifies relays' keys for a bounded time, and which the other keys are"
  zip             = "${var.lambdas}/certifier.zip"
  architecture    = var.architecture
  timeout_seconds = 30 # A few calls to KMS and S3, each tried again.
  memory_mb       = 256
  log_days        = var.log_days
  storage_key     = local.keys.storage
  dead_letters    = aws_sqs_queue.dead_letters.arn
  alarms          = aws_sns_topic.alarms.arn

  environment = merge(local.common, {
    AFFIDAVIT_KEY_CHECKPOINTS   = local.keys.checkpoints
    AFFIDAVIT_KEY_APPROVALS     = local.keys.approvals
    AFFIDAVIT_KEY_BUNDLES       = local.keys.bundles
    AFFIDAVIT_RELAYS            = join(",", sort(var.relays))
    AFFIDAVIT_CERTIFICATE_HOURS = tostring(var.certificate_hours)
  })

  statements = concat(
    local.may.open,
    local.may.read.trust,
    local.may.put.trust,
    local.may.sign.certificates,
    local.may.public_key.checkpoints,
    local.may.public_key.approvals,
    local.may.public_key.bundles,
    local.may.never,
  )
}

# A relay may invoke the alias of its own name alone, and the certifier certifies by that name: so none gets another's
# certificate.
resource "aws_lambda_alias" "relay" {
  for_each = var.relays

  name             = each.key
  description      = "The certifier, for relay ${each.key}"
  function_name    = module.certifier.name
  function_version = "$LATEST"
}

resource "aws_iam_role" "schedules" {
  name        = "${local.name}-schedules"
  description = "Invokes the sealer and the certifier on time"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "schedules" {
  name = "schedules"
  role = aws_iam_role.schedules.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Invoke"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = [module.sealer.arn, module.certifier.arn]
      },
      {
        Sid      = "DeadLetters"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.dead_letters.arn
      },
      {
        # For the schedules themselves, and for the queue.
        Sid      = "StorageKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = local.keys.storage
      },
    ]
  })
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.name
}

resource "aws_scheduler_schedule" "this" {
  for_each = {
    seal = {
      description = "Seals what is stored"
      expression  = var.sealer_minutes == 1 ? "rate(1 minute)" : "rate(${var.sealer_minutes} minutes)"
      function    = module.sealer.arn
      input       = {}
      age_seconds = 60
    }
    certify-keys = {
      description = "Certifies the keys in use, a month before their certificate ends"
      expression  = "rate(1 day)"
      function    = module.certifier.arn
      input       = { certify = "keys" }
      age_seconds = 3600
    }
  }

  name                = each.key
  group_name          = aws_scheduler_schedule_group.this.name
  description         = each.value.description
  schedule_expression = each.value.expression
  kms_key_arn         = local.keys.storage

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.function
    role_arn = aws_iam_role.schedules.arn
    input    = jsonencode(each.value.input)

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }

    retry_policy {
      maximum_event_age_in_seconds = each.value.age_seconds
      maximum_retry_attempts       = 2
    }
  }
}
