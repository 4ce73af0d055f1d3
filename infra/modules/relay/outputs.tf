output "address" {
  description = "Where clients connect: point your own name at it (the name in the relay's TLS certificate), or connect with it."
  value       = "${aws_lb.this.dns_name}:${var.port}"
}

output "zone_id" {
  description = "Hosted zone of the load balancer, for an alias record."
  value       = aws_lb.this.zone_id
}

output "peers" {
  description = "Name by which relays find each other; the TLS certificate must have it."
  value       = local.peers
}

output "roles" {
  description = "Role ARN of each relay, by name."
  value       = { for relay, role in aws_iam_role.relay : relay => role.arn }
}

output "execution_role" {
  description = "ARN of the role that starts the relays' tasks."
  value       = aws_iam_role.execution.arn
}

output "security_group" {
  description = "Security group of the relays: let it in at the target databases."
  value       = aws_security_group.relay.id
}

output "services" {
  description = "Cluster, and the relays' services in it."
  value       = { cluster = aws_ecs_cluster.this.name, services = sort([for service in aws_ecs_service.this : service.name]) }
}

output "log_group" {
  description = "Log group of the relays."
  value       = aws_cloudwatch_log_group.this.name
}

output "configuration" {
  description = "Where each relay's configuration stands, by name."
  value       = local.configuration
}

output "environment" {
  description = "What a relay is told in its environment, by name; a relay outside of ECS needs the same."
  value = {
    for relay in var.relays : relay => merge(local.environment, {
      AFFIDAVIT_CONFIG    = local.configuration[relay]
      AFFIDAVIT_CERTIFIER = var.pipeline.certifiers[relay]
    })
  }
}

output "secrets" {
  description = "ARNs of the secrets that relays read."
  value       = local.secrets
}
