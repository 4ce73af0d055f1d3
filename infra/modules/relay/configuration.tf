# What a relay reads when it starts: relay.toml, policies, classifications. They stand under a digest of their own, so that a
# task definition names exactly what its tasks read; the bucket keeps what was there before.

locals {
  # TOML's basic strings are JSON's.
  relay_toml = {
    for relay in var.relays : relay => templatefile("${path.module}/relay.toml.tftpl", {
      tenant        = var.evidence.tenant
      environment   = var.evidence.environment
      relay         = relay
      port          = var.port
      tls           = var.tls_secret_arn
      issuers       = var.issuers
      connections   = var.connections
      console       = var.console
      retain_days   = var.evidence.retain_days
      spool_bytes   = var.spool_bytes
      when_full     = var.when_full
      drain_seconds = var.drain_seconds
      peer          = "${local.peers}:${var.port}"
      region        = local.region
    })
  }

  shared_files = merge(
    { for name, text in var.policies : "policies/${name}" => text },
    { for name, connection in var.connections : "classification/${name}.toml" => connection.classification },
    { for name, connection in var.connections : "ca/${name}.pem" => connection.ca if connection.ca != null },
  )

  files = { for relay in var.relays : relay => merge(local.shared_files, { "relay.toml" = local.relay_toml[relay] }) }
  prefixes = {
    for relay in var.relays : relay => "${relay}/${sha256(jsonencode(local.files[relay]))}"
  }
  configuration = { for relay in var.relays : relay => "s3://${aws_s3_bucket.configuration.bucket}/${local.prefixes[relay]}/" }

  objects = merge([
    for relay in var.relays : {
      for path, text in local.files[relay] : "${relay}/${path}" => { key = "${local.prefixes[relay]}/${path}", text = text }
    }
  ]...)
}

resource "aws_s3_object" "configuration" {
  for_each = local.objects

  bucket       = aws_s3_bucket.configuration.id
  key          = each.value.key
  content      = each.value.text
  content_type = "text/plain; charset=utf-8"
  kms_key_id   = local.keys.storage
  depends_on   = [aws_s3_bucket_versioning.configuration, aws_s3_bucket_policy.configuration]
}

resource "aws_s3_bucket" "configuration" {
  #checkov:skip=CKV_AWS_18:Who changes it is whoever applies Terraform; which policy was in force is in the evidence
  #checkov:skip=CKV_AWS_144:It can be applied again
  #checkov:skip=CKV2_AWS_62:Relays read it when they start, and only then
  bucket        = "${local.name}-configuration-${local.account}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "configuration" {
  bucket = aws_s3_bucket.configuration.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "configuration" {
  bucket = aws_s3_bucket.configuration.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.keys.storage
    }
  }
}

resource "aws_s3_bucket_public_access_block" "configuration" {
  bucket                  = aws_s3_bucket.configuration.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "configuration" {
  bucket = aws_s3_bucket.configuration.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "configuration" {
  bucket     = aws_s3_bucket.configuration.id
  depends_on = [aws_s3_bucket_versioning.configuration]

  rule {
    id     = "replaced"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 400
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# Relays may read it and nothing else: whoever can write policies decides what is masked.
resource "aws_s3_bucket_policy" "configuration" {
  bucket     = aws_s3_bucket.configuration.id
  depends_on = [aws_s3_bucket_public_access_block.configuration]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.configuration.arn, "${aws_s3_bucket.configuration.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "NoRelayWrites"
        Effect    = "Deny"
        Principal = { AWS = [for role in aws_iam_role.relay : role.arn] }
        Action    = ["s3:PutObject*", "s3:DeleteObject*"]
        Resource  = "${aws_s3_bucket.configuration.arn}/*"
      },
    ]
  })
}
