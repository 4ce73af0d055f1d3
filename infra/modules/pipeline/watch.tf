# Each alarm says what to do in its description; infra/README.md says more.

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = local.keys.storage
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  waiting = {
    unindexed    = { queue = aws_sqs_queue.unindexed.name, does = "Objects could not be indexed in ten attempts. Find out why in the indexer's log, then redrive the queue." }
    quarantine   = { queue = aws_sqs_queue.quarantine.name, does = "A stored object does not verify. Nothing was deleted; run `auditor verify` over it, find out who put it, keep it." }
    dead-letters = { queue = aws_sqs_queue.dead_letters.name, does = "An invocation failed for good: a schedule, or a bundle that somebody waits for." }
  }
}

resource "aws_cloudwatch_metric_alarm" "waiting" {
  for_each = local.waiting

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.does
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "index_lag" {
  alarm_name          = "${local.name}-index-lag"
  alarm_description   = "What was stored a quarter of an hour ago is not found yet: approvers may not see what waits for them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.stored.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 900
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# A sealer that does not run makes no error.
resource "aws_cloudwatch_metric_alarm" "unsealed" {
  alarm_name          = "${local.name}-unsealed"
  alarm_description   = "The sealer did not run for three of its periods: nothing new is in the log."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = module.sealer.name }
  statistic           = "Sum"
  period              = max(300, 180 * var.sealer_minutes)
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# What the functions say of themselves (EMF, no dimension).
resource "aws_cloudwatch_metric_alarm" "said" {
  for_each = {
    Rejected   = "Objects below evidence/ are no statement of a certified relay in its place: the functions' logs name them."
    LogDamaged = "The log is not one that the sealer can have written. Nothing is appended to it any more; somebody must look."
  }

  alarm_name          = "${local.name}-${lower(each.key)}"
  alarm_description   = each.value
  namespace           = local.metrics
  metric_name         = each.key
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name
  dashboard_body = jsonencode({
    widgets = [
      for place, widget in [
        { title = "Errors", stat = "Sum", metrics = [for name in local.functions : ["AWS/Lambda", "Errors", "FunctionName", name]] },
        { title = "Duration, ms", stat = "p99", metrics = [for name in local.functions : ["AWS/Lambda", "Duration", "FunctionName", name]] },
        { title = "Waiting to be indexed, s", stat = "Maximum", metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.stored.name]] },
        { title = "Waiting for people", stat = "Maximum", metrics = [for queue in local.waiting : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.queue]] },
        { title = "Log", stat = "Sum", metrics = [[local.metrics, "Sealed"], [local.metrics, "Rejected"], [local.metrics, "LogDamaged"]] },
        { title = "Index", stat = "Sum", metrics = [["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", aws_dynamodb_table.index.name], ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", aws_dynamodb_table.index.name]] },
        ] : {
        type       = "metric"
        x          = 12 * (place % 2)
        y          = 6 * floor(place / 2)
        width      = 12
        height     = 6
        properties = { title = widget.title, stat = widget.stat, period = 300, region = local.region, view = "timeSeries", metrics = widget.metrics }
      }
    ]
  })
}

locals {
  functions = [module.indexer.name, module.sealer.name, module.certifier.name, module.bundler.name]
}
