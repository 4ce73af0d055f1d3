output "name" {
  description = "As given."
  value       = var.name
}

output "tenant" {
  description = "As given."
  value       = var.tenant
}

output "environment" {
  description = "As given."
  value       = var.environment
}

output "buckets" {
  description = "Bucket name of each kind: evidence, log, deletable, lake."
  # By way of the policies, so that nobody writes before they stand.
  value = { for bucket, policy in aws_s3_bucket_policy.this : bucket => policy.bucket }
}

output "bucket_arns" {
  description = "ARN of each of these buckets."
  value       = local.bucket_arns
}

output "places" {
  description = "Bucket kind and key prefix of each place (evidence, trust, shredded, bundles, log, approvals, keys, tables)."
  value       = local.places
}

output "keys" {
  description = "KMS key ARN by name: certificates, checkpoints, approvals, bundles, data, subjects, storage."
  value       = local.key_arns
}

output "lock_mode" {
  description = "Object Lock's mode."
  value       = var.lock_mode
}

output "retain_days" {
  description = "Days that evidence is kept."
  value       = var.retain_days
}

output "statements" {
  description = "IAM statements by what they allow, for the roles of programs."
  value = {
    open       = local.open
    read       = local.read
    put        = local.put
    prune_log  = local.prune_log
    never      = local.never
    sign       = local.sign
    public_key = local.public_key
    wrap       = local.wrap
  }
}

output "environment_variables" {
  description = "What every program is told in its environment (infra/README.md, Contract)."
  value = {
    AFFIDAVIT_TENANT           = var.tenant
    AFFIDAVIT_ENVIRONMENT      = var.environment
    AFFIDAVIT_BUCKET_OWNER     = local.account
    AFFIDAVIT_BUCKET_EVIDENCE  = local.bucket_names.evidence
    AFFIDAVIT_BUCKET_LOG       = local.bucket_names.log
    AFFIDAVIT_BUCKET_DELETABLE = local.bucket_names.deletable
    AFFIDAVIT_LOCK_MODE        = lower(var.lock_mode)
    AFFIDAVIT_RETAIN_DAYS      = tostring(var.retain_days)
  }
}

output "key_administration" {
  description = "Key policy statement by which the account manages a key and uses it for nothing."
  value       = local.key_administration
}
