locals {
  tls_only = {
    for bucket, arn in local.bucket_arns : bucket => [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  }

  # Objects are created where nothing stands, by anybody, or not at all. That leaves no multipart upload and no copy,
  # which nothing here uses: the largest object has 100 MiB.
  write_once = {
    for bucket, arn in local.bucket_arns : bucket => [{
      Sid       = "CreateOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${arn}/*"
      Condition = { Null = { "s3:if-none-match" = "true" } }
    }] if local.buckets[bucket].write_once
  }

  # A retention that is given is no shorter, weaker or longer than it must be (in COMPLIANCE mode nobody could take a century
  # back). A day's grace either way: it begins by the writer's clock.
  retention = {
    for bucket, arn in local.bucket_arns : bucket => [
      {
        Sid       = "NoShorterRetention"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:PutObjectRetention"]
        Resource  = "${arn}/*"
        Condition = { NumericLessThan = { "s3:object-lock-remaining-retention-days" = tostring(max(var.retain_days - 1, 0)) } }
      },
      {
        Sid       = "NoLongerRetention"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:PutObjectRetention"]
        Resource  = "${arn}/*"
        Condition = { NumericGreaterThan = { "s3:object-lock-remaining-retention-days" = tostring(var.retain_days + 1) } }
      },
      {
        Sid       = "NoWeakerRetention"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:PutObjectRetention"]
        Resource  = "${arn}/*"
        Condition = {
          Null            = { "s3:object-lock-mode" = "false" }
          StringNotEquals = { "s3:object-lock-mode" = var.lock_mode }
        }
      },
    ] if contains(["evidence", "log"], bucket)
  }

  # A lock keeps a version; a delete marker would still hide it. So nobody may lay one: in trials, no program.
  no_deletion = [{
    Sid       = "NoDeletion"
    Effect    = "Deny"
    Principal = { AWS = var.force_destroy ? local.runtime_roles : ["*"] }
    Action    = local.deletions
    Resource  = "${local.bucket_arns.evidence}/*"
  }]

  # The sealer prunes what grew into something else; the rest of the log stays.
  no_deletion_of_log = [{
    Sid         = "NoDeletionOfLog"
    Effect      = "Deny"
    Principal   = { AWS = var.force_destroy ? local.runtime_roles : ["*"] }
    Action      = local.deletions
    NotResource = local.prunable
  }]

  # A checkpoint without a retention could be taken back.
  locked_checkpoints = [{
    Sid       = "LockedCheckpoints"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = "${local.bucket_arns.log}/log/*/checkpoint/*"
    Condition = { Null = { "s3:object-lock-mode" = "true" } }
  }]

  deletions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]
  prunable = [
    for objects in ["tile/*.p/*", "staging/*", "state/*"] :
    "${local.bucket_arns.log}/${local.places.log.prefix}${objects}"
  ]

  bucket_policies = {
    evidence  = concat(local.tls_only.evidence, local.write_once.evidence, local.retention.evidence, local.no_deletion)
    log       = concat(local.tls_only.log, local.write_once.log, local.retention.log, local.locked_checkpoints, local.no_deletion_of_log)
    deletable = concat(local.tls_only.deletable, local.write_once.deletable)
    lake      = local.tls_only.lake
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket     = aws_s3_bucket.this[each.key].id
  policy     = jsonencode({ Version = "2012-10-17", Statement = local.bucket_policies[each.key] })
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_policy" "access" {
  bucket     = aws_s3_bucket.access.id
  depends_on = [aws_s3_bucket_public_access_block.access]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.access.arn, "${aws_s3_bucket.access.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AccessLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.access.arn}/*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = values(local.bucket_arns) }
        }
      },
    ]
  })
}
