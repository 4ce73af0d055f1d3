locals {
  # Whoever administers the account may manage these keys, and use none of them: without kms:CreateGrant and without the
  # cryptographic operations in this statement, no IAM policy can give the right to sign. kms:PutKeyPolicy must stay, or
  # a key could never be changed again; who uses it is in CloudTrail.
  key_administration = {
    Sid       = "Administration"
    Effect    = "Allow"
    Principal = { AWS = local.root }
    Action = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:GetPublicKey",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    Resource = "*"
  }

  # What a wrapped session key is bound to (schemas/seams/aws/src/kms_keys.rs).
  wrapping = {
    StringEquals = {
      "kms:EncryptionContext:purpose"     = "affidavit/wrapped-key/v1"
      "kms:EncryptionContext:tenant"      = var.tenant
      "kms:EncryptionContext:environment" = var.environment
    }
  }

  signing = {
    certificates = "root of trust: certifies relays' keys and the other keys"
    checkpoints  = "signs the log's checkpoints"
    approvals    = "signs decisions on requests for approval"
    bundles      = "signs bundles"
  }
}

# One each, so that who may write evidence may not approve, and who approves cannot sign the log (design, Keys).
resource "aws_kms_key" "signing" {
  #checkov:skip=CKV_AWS_7:KMS does not rotate asymmetric keys; a new key is certified by the root (functions::trust)
  for_each = local.signing

  description              = "${var.name} ${each.key}: ${each.value}"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = var.key_deletion_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.key_administration,
      {
        Sid       = "Sign"
        Effect    = "Allow"
        Principal = { AWS = var.signers[each.key] }
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = { StringEquals = { "kms:SigningAlgorithm" = "ECDSA_SHA_256", "kms:MessageType" = "DIGEST" } }
      },
    ]
  })

  lifecycle {
    precondition {
      condition     = length(distinct(values(var.signers))) == length(values(var.signers))
      error_message = "signers: each key needs a role of its own."
    }
    precondition {
      condition     = length(setintersection(values(var.signers), concat(var.relay_roles, var.other_runtime_roles))) == 0
      error_message = "signers: a relay or indexer must not sign with any of these keys."
    }
  }
}

# Wraps sessions' keys. Whoever reads the buckets does not open results with that: this key opens them.
resource "aws_kms_key" "data" {
  description             = "${var.name} data: wraps sessions' keys"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        local.key_administration,
        {
          Sid       = "Wrap"
          Effect    = "Allow"
          Principal = { AWS = var.relay_roles }
          Action    = ["kms:Encrypt", "kms:Decrypt"]
          Resource  = "*"
          Condition = local.wrapping
        },
      ],
      length(var.result_readers) == 0 ? [] : [{
        Sid       = "Open"
        Effect    = "Allow"
        Principal = { AWS = var.result_readers }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = local.wrapping
      }],
    )
  })
}

# Tokens of patients will be made with it (rule 19). Nothing does yet, so nobody may use it yet.
resource "aws_kms_key" "subjects" {
  #checkov:skip=CKV_AWS_7:KMS does not rotate HMAC keys; tokens are compared for as long as evidence is kept
  description              = "${var.name} subjects: keyed digests of patients"
  key_usage                = "GENERATE_VERIFY_MAC"
  customer_master_key_spec = "HMAC_256"
  deletion_window_in_days  = var.key_deletion_days
  policy                   = jsonencode({ Version = "2012-10-17", Statement = [local.key_administration] })
}

# Encrypts what stands in S3, DynamoDB, SQS, logs, EFS: against disks that get lost, and so that rights can be taken away
# at one place. It opens no result.
resource "aws_kms_key" "storage" {
  description             = "${var.name} storage: encryption at rest"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # Into queues and topics, whose own policies say for which account. These services name none to KMS.
        Sid       = "Notifications"
        Effect    = "Allow"
        Principal = { Service = ["s3.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:*" }
        }
      },
    ]
  })
}

locals {
  key_arns = merge(
    { for key, made in aws_kms_key.signing : key => made.arn },
    { data = aws_kms_key.data.arn, subjects = aws_kms_key.subjects.arn, storage = aws_kms_key.storage.arn },
  )
}

resource "aws_kms_alias" "this" {
  for_each = merge(
    { for key, made in aws_kms_key.signing : key => made.key_id },
    { data = aws_kms_key.data.key_id, subjects = aws_kms_key.subjects.key_id, storage = aws_kms_key.storage.key_id },
  )

  name          = "alias/${var.name}/${each.key}"
  target_key_id = each.value
}
