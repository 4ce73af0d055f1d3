# What must hold of buckets and keys, whatever else changes. No provider is asked: these are our own words.

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
}

variables {
  name        = "affidavit-clinic-production"
  tenant      = "clinic"
  environment = "production"
  signers = {
    certificates = "arn:aws:iam::123456789012:role/certifier"
    checkpoints  = "arn:aws:iam::123456789012:role/sealer"
    approvals    = "arn:aws:iam::123456789012:role/console"
    bundles      = "arn:aws:iam::123456789012:role/bundler"
  }
  relay_roles         = ["arn:aws:iam::123456789012:role/relay-one"]
  other_runtime_roles = ["arn:aws:iam::123456789012:role/indexer"]
}

run "production_locks_for_six_years_and_nobody_unlocks" {
  command = apply

  assert {
    condition = (
      aws_s3_bucket_object_lock_configuration.this["evidence"].rule[0].default_retention[0].mode == "COMPLIANCE" &&
      aws_s3_bucket_object_lock_configuration.this["evidence"].rule[0].default_retention[0].days == 2192
    )
    error_message = "Evidence is not locked for six years in COMPLIANCE mode by default."
  }

  assert {
    condition     = alltrue([for bucket in ["evidence", "log", "deletable"] : aws_s3_bucket.this[bucket].object_lock_enabled])
    error_message = "A bucket that the programs use has no Object Lock; they refuse such a one."
  }

  assert {
    condition     = keys(aws_s3_bucket_object_lock_configuration.this) == ["evidence"]
    error_message = "A default retention on log or deletable would keep partial tiles and wrapped keys."
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "A bucket of production may be emptied."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_s3_bucket_policy.this["evidence"].policy).Statement :
      statement.Effect == "Deny" && jsonencode(statement.Principal) == jsonencode({ AWS = ["*"] }) &&
      length(setsubtract(["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], flatten([statement.Action]))) == 0
    ])
    error_message = "In production everybody is denied deletion of evidence."
  }
}

run "every_bucket_is_closed" {
  command = apply

  assert {
    condition = alltrue([
      for block in concat(values(aws_s3_bucket_public_access_block.this), [aws_s3_bucket_public_access_block.access]) :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket may become public."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_s3_bucket_policy.this), [aws_s3_bucket_policy.access]) : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "s3:*" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
      ])
    ])
    error_message = "A bucket answers without TLS."
  }

  assert {
    condition = alltrue([
      for encryption in aws_s3_bucket_server_side_encryption_configuration.this :
      one(encryption.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && one(encryption.rule).bucket_key_enabled
    ])
    error_message = "A bucket is not encrypted with the storage key."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "A bucket keeps no versions."
  }

  assert {
    condition     = keys(aws_s3_bucket_logging.this) == keys(aws_s3_bucket.this)
    error_message = "Accesses to a bucket are not logged."
  }
}

run "evidence_is_written_once_and_for_long_enough" {
  command = apply

  assert {
    condition = alltrue([
      for bucket in ["evidence", "log", "deletable"] : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[bucket].policy).Statement :
        statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "s3:PutObject" && try(statement.Condition.Null["s3:if-none-match"], "") == "true"
      ])
    ])
    error_message = "Somebody may replace an object."
  }

  assert {
    condition = alltrue([
      for bucket in ["evidence", "log"] : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[bucket].policy).Statement :
        statement.Effect == "Deny" && try(statement.Condition.NumericLessThan["s3:object-lock-remaining-retention-days"], "") == "2191"
      ])
    ])
    error_message = "Somebody may put an object with a shorter retention."
  }

  assert {
    condition = alltrue([
      for bucket in ["evidence", "log"] : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[bucket].policy).Statement :
        statement.Effect == "Deny" && try(statement.Condition.NumericGreaterThan["s3:object-lock-remaining-retention-days"], "") == "2193"
      ])
    ])
    error_message = "Somebody may lock an object for ever."
  }
}

run "each_key_has_one_signer_and_no_administrator_signs" {
  command = apply

  assert {
    condition = alltrue([
      for key, made in aws_kms_key.signing : [
        for statement in jsondecode(made.policy).Statement : statement.Principal.AWS if contains(flatten([statement.Action]), "kms:Sign")
      ] == [var.signers[key]]
    ])
    error_message = "A signing key has another signer than its own."
  }

  assert {
    condition = alltrue(flatten([
      for made in concat(values(aws_kms_key.signing), [aws_kms_key.data, aws_kms_key.subjects]) : [
        for statement in jsondecode(made.policy).Statement : [
          for action in flatten([statement.Action]) : !strcontains(action, "*") && action != "kms:CreateGrant"
        ]
      ]
    ]))
    error_message = "Whoever administers the account could use a key, or grant its use."
  }

  assert {
    condition     = length(jsondecode(aws_kms_key.subjects.policy).Statement) == 1
    error_message = "The subjects key is used by nobody yet."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.data.policy).Statement :
      try(statement.Condition.StringEquals["kms:EncryptionContext:tenant"], "") == "clinic" if contains(flatten([statement.Action]), "kms:Decrypt")
    ])
    error_message = "The data key opens what was wrapped for others."
  }
}

run "nobody_opens_results_unless_named" {
  command = apply

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_kms_key.data.policy).Statement : statement.Principal.AWS if contains(flatten([statement.Action]), "kms:Decrypt")
    ])) == toset(var.relay_roles)
    error_message = "Somebody besides a recovering relay opens sessions' keys."
  }
}

run "a_trial_may_be_torn_down_and_programs_still_delete_nothing" {
  command = apply

  variables {
    lock_mode     = "GOVERNANCE"
    retain_days   = 1
    force_destroy = true
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_s3_bucket_policy.this["evidence"].policy).Statement : statement.Principal.AWS if try(statement.Sid, "") == "NoDeletion"
    ])) == toset(concat(values(var.signers), var.relay_roles, var.other_runtime_roles))
    error_message = "A program may delete evidence in a trial."
  }
}

run "fewer_days_than_six_years_are_no_production" {
  command = plan
  variables {
    retain_days = 2191
  }
  expect_failures = [var.retain_days]
}

run "production_is_not_emptied" {
  command = plan
  variables {
    force_destroy = true
  }
  expect_failures = [var.force_destroy]
}

run "nobody_signs_with_two_keys" {
  command = plan
  variables {
    signers = {
      certificates = "arn:aws:iam::123456789012:role/console"
      checkpoints  = "arn:aws:iam::123456789012:role/sealer"
      approvals    = "arn:aws:iam::123456789012:role/console"
      bundles      = "arn:aws:iam::123456789012:role/bundler"
    }
  }
  expect_failures = [aws_kms_key.signing]
}

run "a_relay_signs_with_none" {
  command = plan
  variables {
    relay_roles = ["arn:aws:iam::123456789012:role/sealer"]
  }
  expect_failures = [aws_kms_key.signing]
}
