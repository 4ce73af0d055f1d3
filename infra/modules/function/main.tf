# A function, its one role, its log and its alarm.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:It speaks to AWS alone (the console: to its identity provider besides) and has nothing to reach in a VPC
  #checkov:skip=CKV_AWS_50:Traces would hold object keys a second time; the log names each
  #checkov:skip=CKV_AWS_272:Who may update the function may as well change what its signature is checked with; the zip's digest is in the state
  #checkov:skip=CKV_AWS_115:Set by `concurrency`, where the account's limit allows it
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.concurrency
  kms_key_arn                    = var.storage_key

  environment {
    variables = var.environment
  }

  ephemeral_storage {
    size = var.scratch_mb
  }

  dead_letter_config {
    target_arn = var.dead_letters
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = var.retries
  maximum_event_age_in_seconds = 21600 # Lambda's longest and its default, six hours.
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/affidavit/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.storage_key
}

resource "aws_iam_role" "this" {
  name        = var.name
  description = var.description

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "function"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = [aws_cloudwatch_log_group.this.arn, "${aws_cloudwatch_log_group.this.arn}:*"]
        },
        {
          Sid      = "DeadLetters"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = var.dead_letters
        },
        {
          Sid       = "StorageKeyAround"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = var.storage_key
          Condition = { StringLike = { "kms:ViaService" = ["sqs.*.amazonaws.com", "lambda.*.amazonaws.com", "dynamodb.*.amazonaws.com"] } }
        },
      ],
      var.statements,
    )
  })
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "Invocations of ${var.name} failed: its log group /affidavit/${var.name} tells why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarms]
  ok_actions          = [var.alarms]
}
