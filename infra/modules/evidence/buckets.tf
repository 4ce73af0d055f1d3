locals {
  # evidence:  chunks, statements, certificates, bundles. Everything there is under retention.
  # log:       full tiles and checkpoints are put with a retention each; partial tiles, which grow into others, with none.
  # deletable: wrapped session keys (deleting one shreds a session) and what approvers are shown and decide. Written once.
  # lake:      tables drawn from evidence. They prove nothing and can be drawn again.
  # access:    S3's own log of who did what in the others.
  buckets = {
    evidence  = { locked = true, write_once = true, default_retention = true }
    log       = { locked = true, write_once = true, default_retention = false }
    deletable = { locked = true, write_once = true, default_retention = false }
    lake      = { locked = false, write_once = false, default_retention = false }
  }
  bucket_names = { for bucket, _ in local.buckets : bucket => "${var.name}-${bucket}-${local.account}" }
  bucket_arns  = { for bucket, name in local.bucket_names : bucket => "arn:${local.partition}:s3:::${name}" }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:Replication needs a second region and doubles the cost; evidence is signed and may be copied anywhere by its owner
  #checkov:skip=CKV2_AWS_62:Notifications are set where they are wanted, in the pipeline module
  for_each = local.buckets

  bucket              = local.bucket_names[each.key]
  object_lock_enabled = each.value.locked
  force_destroy       = var.force_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  versioning_configuration {
    status = "Enabled"
  }
}

# What a program forgets to lock is locked all the same.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  for_each = { for bucket, settings in local.buckets : bucket => settings if settings.default_retention }

  bucket     = aws_s3_bucket.this[each.key].id
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    default_retention {
      mode = var.lock_mode
      days = var.retain_days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.storage.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = local.buckets

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.access.id
  target_prefix = "${each.key}/"
  depends_on    = [aws_s3_bucket_policy.access]
}

# Nothing ever expires a current version of evidence: after its retention somebody must decide.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = toset(["evidence", "log", "deletable"])

  bucket     = aws_s3_bucket.this[each.key].id
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket     = aws_s3_bucket.this["lake"].id
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "replaced"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "results"
    status = "Enabled"
    filter {
      prefix = "athena/"
    }
    expiration {
      days = var.athena_result_days
    }
  }
}

resource "aws_s3_bucket" "access" {
  #checkov:skip=CKV_AWS_18:This is where access is logged; a log of writing the log would never end
  #checkov:skip=CKV_AWS_144:See the buckets whose accesses are logged here
  #checkov:skip=CKV_AWS_145:S3 delivers server access logs to buckets with SSE-S3 alone
  #checkov:skip=CKV2_AWS_62:Nobody waits for access logs
  bucket        = "${var.name}-access-${local.account}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "access" {
  bucket = aws_s3_bucket.access.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access" {
  bucket = aws_s3_bucket.access.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "access" {
  bucket                  = aws_s3_bucket.access.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access" {
  bucket = aws_s3_bucket.access.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access" {
  bucket     = aws_s3_bucket.access.id
  depends_on = [aws_s3_bucket_versioning.access]

  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = var.access_log_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
