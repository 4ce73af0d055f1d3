resource "aws_iam_role" "relay" {
  for_each = var.relays

  name               = "${local.name}-relay-${each.key}"
  description        = "Relay ${each.key}: writes its own evidence, signs with no key of KMS"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "relay" {
  for_each = var.relays

  name   = "relay"
  role   = aws_iam_role.relay[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.relay_statements[each.key] })
}

locals {
  # Its own places and nobody else's.
  own = {
    for relay in var.relays : relay => {
      for place in ["evidence", "trust", "approvals", "keys"] : place => "${var.evidence.places[place].prefix}${relay}/"
    }
  }

  secrets   = distinct(concat([var.tls_secret_arn], [for connection in var.connections : connection.secret_arn if connection.secret_arn != null]))
  databases = [for connection in var.connections : "arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:${connection.rds_resource_id}/${connection.user}" if connection.rds_resource_id != null]

  relay_statements = {
    for relay, own in local.own : relay => concat(
      local.may.open,
      local.may.public_key.certificates,
      local.may.public_key.approvals,
      local.may.wrap,
      [
        {
          Sid       = "ListOwnEvidence"
          Effect    = "Allow"
          Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
          Resource  = var.evidence.bucket_arns.evidence
          Condition = { StringLike = { "s3:prefix" = ["${own.evidence}*", "${own.trust}*"] } }
        },
        {
          Sid       = "ListOwnOthers"
          Effect    = "Allow"
          Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
          Resource  = var.evidence.bucket_arns.deletable
          Condition = { StringLike = { "s3:prefix" = ["${own.approvals}*", "${own.keys}*"] } }
        },
        {
          Sid    = "ReadOwn"
          Effect = "Allow"
          Action = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]
          Resource = concat(
            [for place in [own.evidence, own.trust] : "${var.evidence.bucket_arns.evidence}/${place}*"],
            [for place in [own.approvals, own.keys] : "${var.evidence.bucket_arns.deletable}/${place}*"],
          )
        },
        {
          Sid      = "PutOwnEvidence"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:PutObjectRetention"]
          Resource = "${var.evidence.bucket_arns.evidence}/${own.evidence}*"
        },
        {
          Sid      = "PutOwnOthers"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = ["${var.evidence.bucket_arns.deletable}/${own.approvals}*.request.json", "${var.evidence.bucket_arns.deletable}/${own.keys}*"]
        },
        {
          Sid      = "Certificates"
          Effect   = "Allow"
          Action   = "lambda:InvokeFunction"
          Resource = var.pipeline.certifiers[relay]
        },
        {
          Sid       = "ListConfiguration"
          Effect    = "Allow"
          Action    = "s3:ListBucket"
          Resource  = aws_s3_bucket.configuration.arn
          Condition = { StringLike = { "s3:prefix" = "${relay}/*" } }
        },
        {
          Sid      = "ReadConfiguration"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "${aws_s3_bucket.configuration.arn}/${relay}/*"
        },
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = local.secrets
        },
        {
          Sid       = "Spool"
          Effect    = "Allow"
          Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
          Resource  = aws_efs_file_system.spool.arn
          Condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = aws_efs_access_point.spool[relay].arn } }
        },
      ],
      length(local.databases) == 0 ? [] : [{
        Sid      = "Databases"
        Effect   = "Allow"
        Action   = "rds-db:connect"
        Resource = local.databases
      }],
      length(var.secret_key_arns) == 0 ? [] : [{
        Sid       = "SecretKeys"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.secret_key_arns
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
      }],
      local.may.never,
    )
  }

  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# Starts tasks: pulls the image and opens the log. The relay itself never has it.
resource "aws_iam_role" "execution" {
  name               = "${local.name}-relay-execution"
  description        = "Starts the relays' tasks"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [aws_cloudwatch_log_group.this.arn, "${aws_cloudwatch_log_group.this.arn}:*"]
      }],
      [for statement in [
        {
          Sid      = "Login"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "Pull"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = var.image_repository_arn
        },
      ] : statement if var.image_repository_arn != null],
    )
  })
}
