# The console: an HTTP API in front of one function. api.tf is the way in, cognito.tf the issuer for who brings SAML.

data "aws_region" "this" {}

locals {
  name = var.name
  keys = var.evidence.keys
  may  = var.evidence.statements

  issuer    = var.oidc == null ? one(aws_cognito_user_pool.this[*].endpoint) : trimprefix(var.oidc.issuer, "https://")
  client_id = var.oidc == null ? one(aws_cognito_user_pool_client.console[*].id) : var.oidc.client_id
  groups    = var.oidc == null ? "custom:groups" : var.oidc.groups_claim
  url       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"

  # Of evidence it reads who a relay is, to believe what the relay says that is held; and nothing that was recorded.
  certificates = [
    {
      Sid       = "ListCertificates"
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = var.evidence.bucket_arns.evidence
      Condition = { StringLike = { "s3:prefix" = "${var.evidence.places.evidence.prefix}*/certificate.json" } }
    },
    {
      Sid      = "ReadCertificates"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]
      Resource = "${var.evidence.bucket_arns.evidence}/${var.evidence.places.evidence.prefix}*/certificate.json"
    },
  ]
}

module "function" {
  source = "../function"

  name            = "${local.name}-console"
  description     = "Shows what happened, takes decisions, begins bundles"
  zip             = "${var.lambdas}/console.zip"
  architecture    = var.architecture
  timeout_seconds = 29  # API Gateway waits 30 s for an answer.
  memory_mb       = 512 # A file of a bundle as it is handed out, and a third of a core for TLS to the issuer.
  log_days        = var.log_days
  storage_key     = local.keys.storage
  dead_letters    = var.pipeline.dead_letters
  alarms          = var.pipeline.alarms

  environment = merge(var.evidence.environment_variables, {
    AFFIDAVIT_KEY_CERTIFICATES = local.keys.certificates
    AFFIDAVIT_KEY_APPROVALS    = local.keys.approvals
    AFFIDAVIT_TABLE            = var.pipeline.table.name
    AFFIDAVIT_BUNDLER          = var.pipeline.functions.bundler
    AFFIDAVIT_CONSOLE_URL      = local.url
    AFFIDAVIT_KEY_COOKIES      = aws_kms_key.cookies.arn
    AFFIDAVIT_ISSUER           = "https://${local.issuer}"
    AFFIDAVIT_CLIENT_ID        = local.client_id
    AFFIDAVIT_GROUPS_CLAIM     = local.groups
    AFFIDAVIT_APPROVERS        = join(",", var.approvers)
    AFFIDAVIT_REVIEWERS        = join(",", var.reviewers)
    AFFIDAVIT_METRICS          = "Affidavit/${local.name}"
    RUST_LOG                   = "info"
  })

  # It signs decisions and stores them, and writes nothing else: no evidence, no row of the index, no bundle.
  statements = concat(
    local.may.open,
    local.certificates,
    local.may.read.bundles,
    local.may.read.approvals,
    local.may.public_key.certificates,
    local.may.sign.approvals,
    [
      {
        Sid      = "PutDecisions"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${var.evidence.bucket_arns.deletable}/${var.evidence.places.approvals.prefix}*.decision.json"
      },
      {
        Sid      = "Index"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = var.pipeline.table.arn
      },
      {
        Sid      = "Bundles"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = var.pipeline.functions.bundler
      },
      {
        Sid      = "CookieKey"
        Effect   = "Allow"
        Action   = "kms:GenerateMac"
        Resource = aws_kms_key.cookies.arn
      },
    ],
    local.may.never,
  )
}

# Cookies are sealed with what it makes of a fixed text, so the key itself is in no state, secret or log, and nobody else
# can make a cookie. A new one logs everybody out.
resource "aws_kms_key" "cookies" {
  #checkov:skip=CKV_AWS_7:KMS does not rotate HMAC keys; a new key logs everybody out, so a person chooses when (-replace)
  description              = "${local.name} cookies: seals the console's cookies"
  key_usage                = "GENERATE_VERIFY_MAC"
  customer_master_key_spec = "HMAC_256"
  deletion_window_in_days  = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      var.evidence.key_administration,
      {
        Sid       = "Seal"
        Effect    = "Allow"
        Principal = { AWS = module.function.role_arn }
        Action    = "kms:GenerateMac"
        Resource  = "*"
        Condition = { StringEquals = { "kms:MacAlgorithm" = "HMAC_SHA_256" } }
      },
    ]
  })
}

resource "aws_kms_alias" "cookies" {
  name          = "alias/${local.name}/cookies"
  target_key_id = aws_kms_key.cookies.key_id
}
