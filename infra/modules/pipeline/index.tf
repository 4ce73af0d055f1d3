# S3 → SQS → indexer → DynamoDB. Notifications come twice, late and out of order; the indexer bears that.

resource "aws_dynamodb_table" "index" {
  #checkov:skip=CKV2_AWS_16:Billed by request, so nothing is to be scaled
  name                        = "${local.name}-index"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  # Rows of sessions are kept as long as evidence is, and have no `expires`; what is temporary may.
  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = local.keys.storage
  }
}

resource "aws_sqs_queue" "stored" {
  name                       = "${local.name}-stored"
  message_retention_seconds  = 4 * 24 * 3600
  visibility_timeout_seconds = 6 * local.index_seconds
  kms_master_key_id          = local.keys.storage

  # What needs an object that is not stored yet is tried again: ten times, some half an hour in all.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.unindexed.arn, maxReceiveCount = 10 })
}

resource "aws_sqs_queue" "unindexed" {
  name                      = "${local.name}-unindexed"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = local.keys.storage
}

resource "aws_sqs_queue_redrive_allow_policy" "unindexed" {
  queue_url            = aws_sqs_queue.unindexed.id
  redrive_allow_policy = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.stored.arn] })
}

# Names of objects that do not verify. They stay where they are, under their lock: each is itself evidence.
resource "aws_sqs_queue" "quarantine" {
  name                      = "${local.name}-quarantine"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = local.keys.storage
}

resource "aws_sqs_queue_policy" "stored" {
  queue_url = aws_sqs_queue.stored.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      merge(local.tls_only_queue, { Resource = aws_sqs_queue.stored.arn }),
      {
        Sid       = "Stored"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.stored.arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = [var.evidence.bucket_arns.evidence, var.evidence.bucket_arns.deletable] }
        }
      },
    ]
  })
}

resource "aws_sqs_queue_policy" "others" {
  for_each = { unindexed = aws_sqs_queue.unindexed, quarantine = aws_sqs_queue.quarantine }

  queue_url = each.value.id
  policy    = jsonencode({ Version = "2012-10-17", Statement = [merge(local.tls_only_queue, { Resource = each.value.arn })] })
}

resource "aws_s3_bucket_notification" "stored" {
  for_each = { for place in ["evidence", "approvals"] : place => var.evidence.places[place] }

  bucket     = var.evidence.buckets[each.value.bucket]
  depends_on = [aws_sqs_queue_policy.stored]

  queue {
    queue_arn     = aws_sqs_queue.stored.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = each.value.prefix
  }
}

locals {
  # A chunk of 64 MiB is read, verified and decoded in less than 2 s; a batch is ten objects.
  index_seconds = 30
}

module "indexer" {
  source = "../function"

  name            = "${local.name}-indexer"
  description     = "Verifies each stored object by itself, writes down where to find it, and draws whole sessions into the lake"
  zip             = "${var.lambdas}/indexer.zip"
  architecture    = var.architecture
  timeout_seconds = local.index_seconds
  memory_mb       = 1024 # A chunk as stored and as decoded, or a session's rows, and two thirds of a core for signatures and zstd.
  log_days        = var.log_days
  storage_key     = local.keys.storage
  dead_letters    = aws_sqs_queue.dead_letters.arn
  alarms          = aws_sns_topic.alarms.arn

  environment = merge(local.common, {
    AFFIDAVIT_KEY_APPROVALS = local.keys.approvals
    AFFIDAVIT_TABLE         = aws_dynamodb_table.index.name
    AFFIDAVIT_QUARANTINE    = aws_sqs_queue.quarantine.url
    AFFIDAVIT_BUCKET_LAKE   = var.evidence.buckets.lake
  })

  statements = concat(
    local.may.open,
    local.may.read.evidence,
    local.may.read.approvals,
    local.may.public_key.certificates,
    local.may.public_key.approvals,
    local.may.put.tables,
    [
      {
        Sid      = "Index"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:ConditionCheckItem"]
        Resource = aws_dynamodb_table.index.arn
      },
      {
        # The copy of a request that is no longer pending; no other row is ever deleted.
        Sid       = "NoLongerPending"
        Effect    = "Allow"
        Action    = "dynamodb:DeleteItem"
        Resource  = aws_dynamodb_table.index.arn
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["pending"] } }
      },
      {
        Sid      = "Stored"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        Resource = aws_sqs_queue.stored.arn
      },
      {
        Sid      = "Quarantine"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.quarantine.arn
      },
    ],
    local.may.never,
  )
}

resource "aws_lambda_event_source_mapping" "stored" {
  event_source_arn        = aws_sqs_queue.stored.arn
  function_name           = module.indexer.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.indexer_at_once
  }
}
