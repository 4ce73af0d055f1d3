output "roles" {
  description = "Role ARN of each function: indexer, sealer, certifier, bundler."
  value = {
    indexer   = module.indexer.role_arn
    sealer    = module.sealer.role_arn
    certifier = module.certifier.role_arn
    bundler   = module.bundler.role_arn
  }
}

output "schedules_role" {
  description = "ARN of the role by which schedules invoke functions."
  value       = aws_iam_role.schedules.arn
}

output "functions" {
  description = "ARN of each function."
  value = {
    indexer   = module.indexer.arn
    sealer    = module.sealer.arn
    certifier = module.certifier.arn
    bundler   = module.bundler.arn
  }
}

output "certifiers" {
  description = "What each relay invokes for its certificates: ARN of the certifier's alias, by the relay's name."
  value       = { for relay, alias in aws_lambda_alias.relay : relay => alias.arn }
}

output "table" {
  description = "Name and ARN of the index table."
  value       = { name = aws_dynamodb_table.index.name, arn = aws_dynamodb_table.index.arn }
}

output "queues" {
  description = "URLs of the queues that people look at: `stored` (what is to be indexed), `unindexed` (redrive it), `quarantine`, `dead_letters`."
  value = {
    stored       = aws_sqs_queue.stored.url
    unindexed    = aws_sqs_queue.unindexed.url
    quarantine   = aws_sqs_queue.quarantine.url
    dead_letters = aws_sqs_queue.dead_letters.url
  }
}

output "alarms" {
  description = "ARN of the SNS topic for alarms."
  value       = aws_sns_topic.alarms.arn
}

output "dead_letters" {
  description = "ARN of the queue for invocations that failed for good."
  value       = aws_sqs_queue.dead_letters.arn
}

output "athena" {
  description = "Workgroup and database for questions, and the saved queries' names."
  value = {
    workgroup = aws_athena_workgroup.this.name
    database  = aws_glue_catalog_database.this.name
    queries   = sort(keys(aws_athena_named_query.this))
  }
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
