# Everything, for a trial: evidence is locked for a day with GOVERNANCE, so that `terraform destroy` can take it away again.
# For production: lock_mode and retain_days left at their defaults, force_destroy and deletion protection too, a VPC of
# your own, a backend for the state.

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "affidavit", tenant = var.tenant, environment = var.environment }
  }
}

locals {
  name = "affidavit-${var.tenant}-${var.environment}"
  demo = "${path.module}/../../../functions/local/demo"
}

module "evidence" {
  source = "../../modules/evidence"

  name              = local.name
  tenant            = var.tenant
  environment       = var.environment
  lock_mode         = "GOVERNANCE"
  retain_days       = var.retain_days
  force_destroy     = true
  key_deletion_days = 7
  access_log_days   = 7
  result_readers    = var.result_readers

  # One role a key, and the relays' are none of them.
  signers = {
    certificates = module.pipeline.roles.certifier
    checkpoints  = module.pipeline.roles.sealer
    approvals    = module.console.role
    bundles      = module.pipeline.roles.bundler
  }
  relay_roles         = values(module.relay.roles)
  other_runtime_roles = [module.pipeline.roles.indexer]
}

module "pipeline" {
  source = "../../modules/pipeline"

  name                = local.name
  evidence            = module.evidence
  lambdas             = var.lambdas
  architecture        = var.architecture
  relays              = var.relays
  deletion_protection = false
  alarm_emails        = var.alarm_emails
}

module "console" {
  source = "../../modules/console"

  name          = local.name
  evidence      = module.evidence
  pipeline      = module.pipeline
  lambdas       = var.lambdas
  architecture  = var.architecture
  oidc          = var.oidc
  cognito       = var.cognito
  approvers     = ["approvers"]
  reviewers     = ["approvers"]
  force_destroy = true
}

module "relay" {
  source = "../../modules/relay"

  name                 = local.name
  evidence             = module.evidence
  pipeline             = module.pipeline
  console              = { url = module.console.url, client_id = module.console.issuer.client_id }
  relays               = var.relays
  image                = var.image
  image_repository_arn = var.image_repository_arn
  architecture         = var.architecture

  vpc_id          = aws_vpc.this.id
  subnets         = aws_subnet.private[*].id
  route_table_ids = [aws_route_table.private.id]
  client_cidrs    = [var.cidr]
  target_cidrs    = [var.cidr]

  tls_secret_arn = var.tls_secret_arn
  issuers        = var.issuers
  connections = {
    clinic = {
      host           = var.database.host
      port           = var.database.port
      ca             = var.database.ca
      database       = var.database.name
      user           = var.database.user
      secret_arn     = var.database.secret_arn
      classification = file("${local.demo}/classification.toml")
    }
  }
  policies = { "clinic.cedar" = file("${local.demo}/policies/clinic.cedar") }

  deletion_protection = false
  force_destroy       = true
}
