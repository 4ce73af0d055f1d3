# IAM statements by what they allow; the other modules put those together that a program needs. What they allow on
# buckets is what crate `aws` asks for (schemas/seams/aws/src/s3_store.rs): it reads by version, lists versions, and
# looks once whether a bucket has versioning and Object Lock.

locals {
  # Looks at the three buckets before it uses them, and may use the key that they are encrypted with, through S3 alone.
  open = [
    {
      Sid      = "Open"
      Effect   = "Allow"
      Action   = ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"]
      Resource = [for bucket in ["evidence", "log", "deletable"] : local.bucket_arns[bucket]]
    },
    {
      Sid       = "StorageKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = aws_kms_key.storage.arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    },
  ]

  read = {
    for place, at in local.places : place => [
      {
        Sid       = "List${title(place)}"
        Effect    = "Allow"
        Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
        Resource  = local.bucket_arns[at.bucket]
        Condition = { StringLike = { "s3:prefix" = "${at.prefix}*" } }
      },
      {
        Sid      = "Read${title(place)}"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]
        Resource = "${local.bucket_arns[at.bucket]}/${at.prefix}*"
      },
    ]
  }

  put = {
    for place, at in local.places : place => [
      {
        Sid    = "Put${title(place)}"
        Effect = "Allow"
        # A put that brings its retention needs both; so does one that finds its object there with too short a one.
        Action   = contains(["evidence", "log"], at.bucket) ? ["s3:PutObject", "s3:PutObjectRetention"] : ["s3:PutObject"]
        Resource = "${local.bucket_arns[at.bucket]}/${at.prefix}*"
      },
    ]
  }

  prune_log = [{
    Sid      = "PruneLog"
    Effect   = "Allow"
    Action   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    Resource = local.prunable
  }]

  # For every program, whatever else a policy comes to allow.
  never = [
    {
      Sid      = "NeverDelete"
      Effect   = "Deny"
      Action   = "s3:DeleteObject*"
      Resource = [for bucket in ["evidence", "deletable"] : "${local.bucket_arns[bucket]}/*"]
    },
    {
      Sid    = "NeverUnlock"
      Effect = "Deny"
      Action = [
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket*",
        "s3:PutBucket*",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutObjectLegalHold",
      ]
      Resource = "*"
    },
    {
      Sid      = "NeverManageKeys"
      Effect   = "Deny"
      Action   = ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKey"]
      Resource = "*"
    },
  ]

  sign = {
    for key, made in aws_kms_key.signing : key => [{
      Sid      = "Sign${title(key)}"
      Effect   = "Allow"
      Action   = ["kms:Sign", "kms:GetPublicKey"]
      Resource = made.arn
    }]
  }

  public_key = {
    for key, made in aws_kms_key.signing : key => [{
      Sid      = "Public${title(key)}"
      Effect   = "Allow"
      Action   = "kms:GetPublicKey"
      Resource = made.arn
    }]
  }

  wrap = [{
    Sid      = "Wrap"
    Effect   = "Allow"
    Action   = ["kms:Encrypt", "kms:Decrypt"]
    Resource = aws_kms_key.data.arn
  }]
}
