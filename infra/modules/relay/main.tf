# Relays: one ECS service a relay, all behind one load balancer. network.tf is the way in, spool.tf the disk, roles.tf the
# rights, configuration.tf what a relay reads, endpoints.tf the way to AWS.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  name      = var.name
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
  keys      = var.evidence.keys
  may       = var.evidence.statements
  health    = 8080
  user      = 10001 # The image's user, and owner of the spool.

  # Longer than anybody waits for an approval; what is silent for longer is cut (1800 s and 6000 s are ours and NLB's).
  approval_seconds = max([for connection in var.connections : connection.approval_seconds]...)
  idle_seconds     = max(1800, local.approval_seconds + 600, [for connection in var.connections : connection.idle_seconds + 60]...)
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/affidavit/${local.name}-relays"
  retention_in_days = var.log_days
  kms_key_id        = local.keys.storage
}

resource "aws_ecs_task_definition" "this" {
  for_each = var.relays

  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mb
  task_role_arn            = aws_iam_role.relay[each.key].arn
  execution_role_arn       = aws_iam_role.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  volume {
    name = "spool"
    efs_volume_configuration {
      file_system_id     = aws_efs_file_system.spool.id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.spool[each.key].id
        iam             = "ENABLED"
      }
    }
  }

  volume {
    name = "scratch"
  }

  container_definitions = jsonencode([{
    name                   = "relay"
    image                  = var.image
    essential              = true
    user                   = "${local.user}:${local.user}"
    readonlyRootFilesystem = true
    stopTimeout            = 120
    portMappings = [
      { containerPort = var.port, hostPort = var.port, protocol = "tcp" },
      { containerPort = local.health, hostPort = local.health, protocol = "tcp" },
    ]
    mountPoints = [
      { sourceVolume = "spool", containerPath = "/spool", readOnly = false },
      { sourceVolume = "scratch", containerPath = "/run/relay", readOnly = false },
    ]
    linuxParameters = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
    ulimits         = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    environment     = [for name, value in merge(local.environment, { AFFIDAVIT_CONFIG = local.configuration[each.key], AFFIDAVIT_CERTIFIER = var.pipeline.certifiers[each.key] }) : { name = name, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = each.key
      }
    }
  }])
}

locals {
  environment = merge(var.evidence.environment_variables, {
    AFFIDAVIT_KEY_CERTIFICATES = local.keys.certificates
    AFFIDAVIT_KEY_APPROVALS    = local.keys.approvals
    AFFIDAVIT_KEY_DATA         = local.keys.data
    AFFIDAVIT_HEALTH           = "0.0.0.0:${local.health}"
    AFFIDAVIT_SCRATCH          = "/run/relay"
    AWS_REGION                 = local.region
    RUST_LOG                   = "info"
  })
}

# The old task ends before the new one begins, for both would want the spool's lease; clients go to another relay
# meanwhile. A task that dies is followed by one that adopts its spool.
resource "aws_ecs_service" "this" {
  for_each = var.relays

  name                               = each.key
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this[each.key].arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  # For as long as ECS takes: it would end tasks that are not ready, and with them the sessions that may go on while S3 is away
  # or wait for room in the spool. A relay that is of no use ends itself, but for a fenced one, about which somebody must think.
  health_check_grace_period_seconds = 2147483647
  enable_execute_command            = false
  propagate_tags                    = "SERVICE"

  network_configuration {
    subnets          = var.subnets
    security_groups  = [aws_security_group.relay.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "relay"
    container_port   = var.port
  }

  service_registries {
    registry_arn = aws_service_discovery_service.peers.arn
  }

  # ECS goes on trying, and the alarm tells. There is no way back: what a relay obeyed before would be in force again, and
  # `terraform apply` would have told nobody.
  deployment_circuit_breaker {
    enable   = false
    rollback = false
  }

  depends_on = [aws_lb_listener.this, aws_efs_mount_target.spool, aws_iam_role_policy.relay]
}

resource "aws_cloudwatch_metric_alarm" "missing" {
  alarm_name          = "${local.name}-relays-missing"
  alarm_description   = "Fewer relays serve than there are: clients go to the others, or nowhere. See the services' events and /affidavit/${local.name}-relays."
  namespace           = "AWS/NetworkELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = aws_lb_target_group.this.arn_suffix }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  threshold           = length(var.relays)
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.pipeline.alarms]
  ok_actions          = [var.pipeline.alarms]
}
