# Where evidence is, and the keys: buckets.tf and bucket_policies.tf, keys.tf; statements.tf says which IAM statements
# give a program the right to a part of it, so that prefixes and ARNs stand in one place.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name
  root      = "arn:${local.partition}:iam::${local.account}:root"

  runtime_roles = concat(values(var.signers), var.relay_roles, var.other_runtime_roles)

  # Object keys: schemas::layout. One deployment is one tenant's one environment.
  scope = "${var.tenant}/${var.environment}"
  places = {
    evidence  = { bucket = "evidence", prefix = "evidence/${local.scope}/" }
    trust     = { bucket = "evidence", prefix = "trust/${local.scope}/" }
    shredded  = { bucket = "evidence", prefix = "shredded/${local.scope}/" }
    bundles   = { bucket = "evidence", prefix = "bundles/${local.scope}/" }
    log       = { bucket = "log", prefix = "log/affidavit/${local.scope}/" }
    approvals = { bucket = "deletable", prefix = "approvals/${local.scope}/" }
    keys      = { bucket = "deletable", prefix = "keys/${local.scope}/" }
    tables    = { bucket = "lake", prefix = "tables/" }
  }
}
