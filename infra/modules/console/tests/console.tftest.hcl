# What must hold of the console, whatever else changes.

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
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-central-1:123456789012:function:function"
      invoke_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:api"
      api_endpoint  = "https://api.example"
    }
  }
  mock_resource "aws_cognito_user_pool" {
    defaults = {
      endpoint = "cognito.example/pool"
    }
  }
}

variables {
  name    = "affidavit-clinic-production"
  lambdas = "tests/zips"
  oidc    = { issuer = "https://issuer.example", client_id = "affidavit-console" }
  pipeline = {
    functions    = { bundler = "arn:aws:lambda:eu-central-1:123456789012:function:bundler" }
    table        = { name = "index", arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/index" }
    alarms       = "arn:aws:sns:eu-central-1:123456789012:alarms"
    dead_letters = "arn:aws:sqs:eu-central-1:123456789012:dead-letters"
  }
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

run "the_api_asks_for_a_token_of_the_console_itself" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = aws_apigatewayv2_route.api.route_key == "ANY /api/v1/{proxy+}" && aws_apigatewayv2_route.api.authorization_type == "JWT"
    error_message = "The API answers without a token."
  }

  assert {
    condition = (
      aws_apigatewayv2_authorizer.this.jwt_configuration[0].issuer == "https://issuer.example" &&
      aws_apigatewayv2_authorizer.this.jwt_configuration[0].audience == toset(["affidavit-console"])
    )
    error_message = "The API takes tokens of others."
  }

  assert {
    condition     = length(regexall("path|queryString|rawPath", aws_apigatewayv2_stage.this.access_log_settings[0].format)) == 0
    error_message = "Paths and codes would be logged."
  }
}

run "it_decides_and_writes_nothing_else" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition = flatten([
      for statement in jsondecode(module.function.policy).Statement : statement.Resource if statement.Effect == "Allow" && contains(flatten([statement.Action]), "s3:PutObject")
    ]) == ["${run.evidence.bucket_arns.deletable}/approvals/clinic/production/*.decision.json"]
    error_message = "The console writes more than decisions."
  }

  assert {
    condition = flatten([
      for statement in jsondecode(module.function.policy).Statement : statement.Resource if statement.Effect == "Allow" && contains(flatten([statement.Action]), "kms:Sign")
    ]) == [run.evidence.keys.approvals]
    error_message = "The console signs with another key than that of approvals."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(module.function.policy).Statement : [
        for action in flatten([statement.Action]) : !contains(["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"], action)
      ] if statement.Effect == "Allow"
    ]))
    error_message = "The console writes to the index."
  }

  assert {
    condition     = module.function.timeout_seconds < 30
    error_message = "API Gateway gives up first."
  }
}

run "cognito_makes_two_clients" {
  command = apply
  variables {
    evidence = run.evidence
    oidc     = null
    cognito  = { domain_prefix = "affidavit-clinic", saml_metadata_url = "https://idp.example/metadata" }
  }

  assert {
    condition     = aws_cognito_user_pool_client.console[0].id != aws_cognito_user_pool_client.relay[0].id && output.issuer.client_id == aws_cognito_user_pool_client.console[0].id
    error_message = "A stored decision's token would open sessions."
  }

  assert {
    condition = alltrue([
      for client in [aws_cognito_user_pool_client.console[0], aws_cognito_user_pool_client.relay[0]] :
      client.allowed_oauth_flows == toset(["code"]) && !client.generate_secret && client.supported_identity_providers == toset(["saml"])
    ])
    error_message = "Somebody logs in past the SAML provider, or without a code."
  }
}

run "an_issuer_of_either_kind_and_not_of_both" {
  command = plan
  variables {
    evidence = run.evidence
    cognito  = { domain_prefix = "affidavit-clinic", saml_metadata_url = "https://idp.example/metadata" }
  }
  expect_failures = [var.cognito]
}

run "an_issuer_speaks_https" {
  command = plan
  variables {
    evidence = run.evidence
    oidc     = { issuer = "http://issuer.example", client_id = "affidavit-console" }
  }
  expect_failures = [var.oidc]
}
