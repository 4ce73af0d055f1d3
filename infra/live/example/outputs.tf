output "relay" {
  description = "Where clients connect."
  value       = module.relay.address
}

output "console" {
  description = "The console's address."
  value       = module.console.url
}

output "issuer" {
  description = "Issuer, client and groups claim of approvers."
  value       = module.console.issuer
}

output "cognito" {
  description = "What to enter at the SAML provider, and the engineers' client. Null without Cognito."
  value       = module.console.cognito
}

output "buckets" {
  description = "Buckets by kind: evidence, log, deletable, lake."
  value       = module.evidence.buckets
}

output "keys" {
  description = "ARNs of the KMS keys. `certificates` is the root that auditors need (its public key: `aws kms get-public-key`)."
  value       = module.evidence.keys
}

output "functions" {
  description = "ARN of each function."
  value       = merge(module.pipeline.functions, { console = module.console.function })
}

output "roles" {
  description = "ARN of each program's role."
  value = merge(
    module.pipeline.roles,
    { console = module.console.role, schedules = module.pipeline.schedules_role, execution = module.relay.execution_role },
    { for relay, role in module.relay.roles : "relay-${relay}" => role },
  )
}

output "queues" {
  description = "Queues that people look at."
  value       = module.pipeline.queues
}

output "table" {
  description = "The index table."
  value       = module.pipeline.table.name
}

output "relay_environment" {
  description = "What each relay is told in its environment, for one that runs elsewhere."
  value       = module.relay.environment
}

output "relay_security_group" {
  description = "Security group of the relays: let it in at the database."
  value       = module.relay.security_group
}

output "peers" {
  description = "Name that the relays' TLS certificate must have besides your own."
  value       = module.relay.peers
}

output "athena" {
  description = "Workgroup, database and saved queries."
  value       = module.pipeline.athena
}

output "dashboard" {
  description = "CloudWatch dashboard."
  value       = module.pipeline.dashboard
}

output "alarms" {
  description = "SNS topic of the alarms."
  value       = module.pipeline.alarms
}

output "cookie_key" {
  description = "ARN of the KMS key that the console's cookies are sealed with; replace it to log everybody out."
  value       = module.console.cookie_key
}

output "relay_secrets" {
  description = "ARNs of the secrets that relays read."
  value       = module.relay.secrets
}

output "relay_log_group" {
  description = "Log group of the relays."
  value       = module.relay.log_group
}
