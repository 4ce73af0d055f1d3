# What must hold of relays, whatever else changes.

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
  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/net/x/1"
      arn_suffix = "net/x/1"
    }
  }
  mock_resource "aws_lb_target_group" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/x/1"
      arn_suffix = "targetgroup/x/1"
    }
  }
  mock_resource "aws_efs_file_system" {
    defaults = {
      arn = "arn:aws:elasticfilesystem:eu-central-1:123456789012:file-system/fs-1"
    }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = {
      arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/x:1"
    }
  }
  mock_resource "aws_service_discovery_service" {
    defaults = {
      arn = "arn:aws:servicediscovery:eu-central-1:123456789012:service/x"
    }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = {
      arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/x"
    }
  }
}

variables {
  name            = "affidavit-clinic-production"
  relays          = ["one", "two"]
  image           = "registry.example/affidavit-relay@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  vpc_id          = "vpc-1"
  subnets         = ["subnet-1", "subnet-2"]
  route_table_ids = ["rtb-1"]
  client_cidrs    = ["10.0.0.0/8"]
  target_cidrs    = ["10.1.0.0/16"]
  tls_secret_arn  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tls"
  console         = { url = "https://console.example", client_id = "affidavit-console" }
  issuers         = [{ issuer = "https://issuer.example", audience = "affidavit" }]
  policies        = { "clinic.cedar" = "// none" }
  connections = {
    clinic = {
      host             = "db.example"
      database         = "clinic"
      user             = "relay"
      secret_arn       = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:clinic"
      classification   = ""
      approval_seconds = 3600
    }
    billing = {
      host            = "billing.example"
      port            = 5433
      database        = "billing"
      user            = "relay"
      rds_resource_id = "db-ABC"
      classification  = ""
    }
  }
  pipeline = {
    certifiers = { one = "arn:aws:lambda:eu-central-1:123456789012:function:certifier:one", two = "arn:aws:lambda:eu-central-1:123456789012:function:certifier:two" }
    alarms     = "arn:aws:sns:eu-central-1:123456789012:alarms"
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

run "tls_ends_in_the_relay_and_the_relay_sees_who_connects" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition     = aws_lb_listener.this.protocol == "TCP" && aws_lb_target_group.this.protocol == "TCP" && aws_lb.this.load_balancer_type == "network"
    error_message = "TLS would end before the relay."
  }

  assert {
    condition     = aws_lb_target_group.this.preserve_client_ip == "true" && aws_lb.this.internal
    error_message = "The relay would record the load balancer's address, or stand in the internet."
  }

  assert {
    condition     = aws_lb_listener.this.tcp_idle_timeout_seconds > 3600 && aws_lb_listener.this.tcp_idle_timeout_seconds <= 6000
    error_message = "A client that waits for approval would be cut off."
  }

  assert {
    condition     = aws_lb_target_group.this.target_health_state[0].enable_unhealthy_connection_termination == false
    error_message = "Sessions would be cut that wait for room in the spool, or that finish what they began."
  }

  assert {
    condition     = aws_lb_target_group.this.health_check[0].protocol == "HTTP" && aws_lb_target_group.this.health_check[0].path == "/ready"
    error_message = "A relay that cannot record would be sent clients."
  }
}

run "a_spool_has_one_relay_at_a_time_and_a_successor" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition = alltrue([
      for service in aws_ecs_service.this : service.desired_count == 1 && service.deployment_minimum_healthy_percent == 0 && service.deployment_maximum_percent == 100
    ])
    error_message = "Two tasks would want one spool."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : service.health_check_grace_period_seconds > 10 * 365 * 24 * 3600])
    error_message = "ECS would end the sessions of a relay that waits for its store."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : !service.deployment_circuit_breaker[0].rollback])
    error_message = "Policies that were replaced would come back by themselves."
  }

  assert {
    condition     = { for relay, point in aws_efs_access_point.spool : relay => point.root_directory[0].path } == { one = "/one", two = "/two" }
    error_message = "Relays share a spool."
  }

  assert {
    condition     = aws_efs_file_system.spool.encrypted && alltrue(flatten([for definition in aws_ecs_task_definition.this : [for volume in definition.volume : [for efs in volume.efs_volume_configuration : efs.transit_encryption == "ENABLED"]]]))
    error_message = "The spool is in clear."
  }

  assert {
    condition     = alltrue([for file in aws_s3_object.configuration : !endswith(file.key, "/relay.toml") || strcontains(file.content, "durability = \"disk\"")])
    error_message = "A record would not survive its task."
  }

  assert {
    condition     = alltrue([for definition in aws_ecs_task_definition.this : jsondecode(definition.container_definitions)[0].stopTimeout == 120]) && var.drain_seconds <= 90
    error_message = "A relay would be killed while it stores its last evidence."
  }
}

run "a_relay_can_do_little" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition = alltrue([
      for definition in aws_ecs_task_definition.this : alltrue([
        for container in jsondecode(definition.container_definitions) :
        container.readonlyRootFilesystem && container.user == "10001:10001" && container.linuxParameters.capabilities.drop == ["ALL"]
      ])
    ])
    error_message = "A relay runs as root, or may change its image."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.relay : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in flatten([statement.Action]) : action != "kms:Sign" && !strcontains(action, "*") && !startswith(action, "s3:Delete") && !startswith(action, "dynamodb:")
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "A relay signs with KMS, deletes, writes to the index, or may do what a wildcard stands for."
  }

  assert {
    condition = alltrue(flatten([
      for relay, policy in aws_iam_role_policy.relay : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in flatten([statement.Resource]) : strcontains(resource, "/clinic/production/${relay}/")
        ] if statement.Effect == "Allow" && contains(flatten([statement.Action]), "s3:PutObject")
      ]
    ]))
    error_message = "A relay writes in another one's place."
  }

  assert {
    condition = alltrue([
      for relay, policy in aws_iam_role_policy.relay : flatten([
        for statement in jsondecode(policy.policy).Statement : statement.Resource if contains(flatten([statement.Action]), "lambda:InvokeFunction")
      ]) == [var.pipeline.certifiers[relay]]
    ])
    error_message = "A relay gets another one's certificates."
  }
}

run "the_configuration_is_what_the_relay_reads" {
  command = apply
  variables {
    evidence = run.evidence
  }

  assert {
    condition = alltrue([
      for line in ["relay = \"one\"", "retain_days = 2192", "audience = \"affidavit-console\"", "console = \"https://console.example\"", "bind = \"0.0.0.0:5432\"",
        "password = { rds-iam = \"eu-central-1\" }", "password = { secret = \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:clinic\" }",
      "addresses = [\"relays.affidavit-clinic-production.internal:5432\"]"] :
      contains(split("\n", aws_s3_object.configuration["one/relay.toml"].content), line)
    ])
    error_message = "A line of relay.toml is missing."
  }

  assert {
    condition     = alltrue([for relay in var.relays : startswith(output.configuration[relay], "s3://") && strcontains(output.configuration[relay], "/${relay}/")])
    error_message = "A relay is told of another one's configuration."
  }
}

run "an_approvers_token_opens_no_session" {
  command = plan
  variables {
    evidence = run.evidence
    issuers  = [{ issuer = "https://issuer.example", audience = "affidavit-console" }]
  }
  expect_failures = [var.issuers]
}

run "nobody_waits_longer_than_the_load_balancer" {
  command = plan
  variables {
    evidence = run.evidence
    connections = {
      clinic = { host = "db.example", database = "clinic", user = "relay", secret_arn = "arn", classification = "", approval_seconds = 7200 }
    }
  }
  expect_failures = [var.connections]
}

run "a_connection_has_one_way_to_log_in" {
  command = plan
  variables {
    evidence    = run.evidence
    connections = { clinic = { host = "db.example", database = "clinic", user = "relay", classification = "" } }
  }
  expect_failures = [var.connections]
}
