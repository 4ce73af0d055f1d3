# What must hold of queues, functions, schedules and the lake, whatever else changes.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/role"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-central-1:123456789012:log-group:log"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-central-1:123456789012:queue"
    }
  }
  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:eu-central-1:123456789012:topic"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/index"
    }
  }
}

override_resource {
  target = aws_sqs_queue.unindexed
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:unindexed" }
}

override_resource {
  target = aws_sqs_queue.quarantine
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:quarantine" }
}

override_resource {
  target = aws_sqs_queue.stored
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:stored" }
}

variables {
  name    = "affidavit-clinic-production"
  lambdas = "tests/zips"
  relays  = ["one", "two"]
}

run "evidence" {
  command = apply
  module {
    source = "../evidence"
  }
  override_resource {
    target = aws_kms_key.storage
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/storage" }
  }
  override_resource {
    target = aws_kms_key.data
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/data" }
  }
  override_resource {
    target = aws_kms_key.signing["certificates"]
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/certificates" }
  }
  override_resource {
    target = aws_kms_key.signing["checkpoints"]
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/checkpoints" }
  }
  override_resource {
    target = aws_kms_key.signing["approvals"]
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/approvals" }
  }
  override_resource {
    target = aws_kms_key.signing["bundles"]
    values = { arn = "arn:aws:kms:eu-central-1:123456789012:key/bundles" }
  }
  variables {
    tenant      = "clinic"
    environment = "production"
    signers = {
      certificates = "arn:aws:iam::123456789012:role/certifier"
      checkpoints  = "arn:aws:iam::123456789012:role/sealer"
      approvals    = "arn:aws:iam::123456789012:role/console"
      bundles      = "arn:aws:iam::123456789012:role/bundler"
    }
    relay_roles = ["arn:aws:iam::123456789012:role/relay-one"]
  }
}

run "nothing_that_was_stored_is_lost" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = aws_sqs_queue.stored.visibility_timeout_seconds >= 6 * module.indexer.timeout_seconds
    error_message = "A batch would be delivered again while it is indexed."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.stored.redrive_policy).deadLetterTargetArn == aws_sqs_queue.unindexed.arn
    error_message = "What cannot be indexed goes nowhere."
  }

  assert {
    condition     = contains(aws_lambda_event_source_mapping.stored.function_response_types, "ReportBatchItemFailures")
    error_message = "One object that fails would fail its whole batch."
  }

  assert {
    condition     = toset([for notification in aws_s3_bucket_notification.stored : notification.queue[0].filter_prefix]) == toset(["evidence/clinic/production/", "approvals/clinic/production/"])
    error_message = "Something that is indexed makes no notification."
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.unindexed, aws_sqs_queue.quarantine, aws_sqs_queue.dead_letters] : queue.message_retention_seconds == 14 * 86400
    ])
    error_message = "What waits for people waits for less than two weeks."
  }

  assert {
    condition     = toset([for alarm in aws_cloudwatch_metric_alarm.waiting : alarm.dimensions.QueueName]) == toset([aws_sqs_queue.unindexed.name, aws_sqs_queue.quarantine.name, aws_sqs_queue.dead_letters.name])
    error_message = "A queue for people has no alarm."
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.stored, aws_sqs_queue.unindexed, aws_sqs_queue.quarantine, aws_sqs_queue.dead_letters] : queue.kms_master_key_id == run.evidence.keys.storage
    ])
    error_message = "A queue is not encrypted with the storage key."
  }
}

run "the_index_can_be_had_again" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = aws_dynamodb_table.index.point_in_time_recovery[0].enabled && aws_dynamodb_table.index.deletion_protection_enabled
    error_message = "The index may be lost."
  }

  assert {
    condition     = aws_dynamodb_table.index.hash_key == "pk" && aws_dynamodb_table.index.range_key == "sk"
    error_message = "The table is not the one that crate aws writes to."
  }
}

run "each_function_has_the_rights_it_needs_and_no_wildcard" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition = alltrue(flatten([
      for policy in [module.indexer.policy, module.sealer.policy, module.certifier.policy, module.bundler.policy] : [
        for statement in jsondecode(policy).Statement : [
          for pair in setproduct(flatten([statement.Action]), flatten([statement.Resource])) : !strcontains(pair[0], "*") && pair[1] != "*"
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "A role allows a wildcard."
  }

  assert {
    condition = {
      for name, policy in { indexer = module.indexer.policy, sealer = module.sealer.policy, certifier = module.certifier.policy, bundler = module.bundler.policy } :
      name => flatten([for statement in jsondecode(policy).Statement : statement.Resource if statement.Effect == "Allow" && contains(flatten([statement.Action]), "kms:Sign")])
      } == {
      indexer   = []
      sealer    = [run.evidence.keys.checkpoints]
      certifier = [run.evidence.keys.certificates]
      bundler   = [run.evidence.keys.bundles]
    }
    error_message = "A function signs with another key than its own."
  }

  assert {
    condition = alltrue([
      for policy in [module.indexer.policy, module.sealer.policy, module.certifier.policy, module.bundler.policy] : anytrue([
        for statement in jsondecode(policy).Statement : statement.Effect == "Deny" && contains(flatten([statement.Action]), "s3:DeleteObject*")
      ])
    ])
    error_message = "A function is not denied deletion."
  }

  assert {
    condition = flatten([
      for policy in [module.indexer.policy, module.certifier.policy, module.bundler.policy] : [
        for statement in jsondecode(policy).Statement : statement.Action if statement.Effect == "Allow" && length([for action in flatten([statement.Action]) : action if startswith(action, "s3:Delete")]) > 0
      ]
    ]) == []
    error_message = "Another function than the sealer deletes objects."
  }
}

run "a_relay_gets_its_own_certificates_alone" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = keys(output.certifiers) == ["one", "two"] && keys(aws_lambda_alias.relay) == ["one", "two"]
    error_message = "A relay has no alias of its own."
  }
}

run "the_sealer_runs_every_minute_and_is_missed_when_it_does_not" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = aws_scheduler_schedule.this["seal"].schedule_expression == "rate(1 minute)"
    error_message = "The sealer has another period."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.unsealed.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.unsealed.comparison_operator == "LessThanThreshold"
    error_message = "A sealer that does not run makes no alarm."
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.this["certify-keys"].target[0].input) == { certify = "keys" }
    error_message = "Nobody certifies the keys."
  }
}

run "the_lake_has_the_tables_of_the_page" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = keys(aws_glue_catalog_table.this) == ["approvals", "chunks", "denials", "detections", "executions", "grants", "masking", "objects_touched", "sessions", "statements"]
    error_message = "The tables are not those of schemas/TABLES.md."
  }

  assert {
    condition = (
      length(aws_glue_catalog_table.this["sessions"].storage_descriptor[0].columns) == 36 &&
      length(aws_glue_catalog_table.this["statements"].storage_descriptor[0].columns) == 25 &&
      { for column in aws_glue_catalog_table.this["sessions"].storage_descriptor[0].columns : column.name => column.type if contains(["session", "groups", "opened", "recovered", "events"], column.name) } ==
      { session = "string", groups = "array<string>", opened = "timestamp", recovered = "boolean", events = "bigint" }
    )
    error_message = "Columns were not read as schemas/TABLES.md has them."
  }

  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.this : endswith(table.parameters["storage.location.template"], "/${table.name}/day=$${day}/")])
    error_message = "A table's partitions are elsewhere."
  }

  assert {
    condition     = alltrue([for query in aws_athena_named_query.this : strcontains(query.query, "day BETWEEN")])
    error_message = "A saved query reads all days there are."
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 100000000000
    error_message = "A query may scan without a limit, or leave its result elsewhere."
  }
}

run "a_relay_without_a_name_is_none" {
  command = plan
  variables {
    evidence = run.evidence
    relays   = ["One"]
  }
  expect_failures = [var.relays]
}
