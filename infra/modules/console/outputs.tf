output "url" {
  description = "The console's address."
  value       = local.url
}

output "role" {
  description = "ARN of the console's role."
  value       = module.function.role_arn
}

output "function" {
  description = "ARN of the console's function."
  value       = module.function.arn
}

output "issuer" {
  description = "Issuer of people's tokens, its client for the console (`approvals.audience` of the relay), and the claim with groups."
  value       = { url = "https://${local.issuer}", client_id = local.client_id, groups_claim = local.groups }
}

output "cognito" {
  description = "Where Cognito is: the login pages' host, what to enter at the SAML provider, the client id for engineers (the relay's `audience`). Null without `cognito`."
  value = var.cognito == null ? null : {
    login           = "https://${aws_cognito_user_pool_domain.this[0].domain}.auth.${data.aws_region.this.name}.amazoncognito.com"
    saml_acs_url    = "https://${aws_cognito_user_pool_domain.this[0].domain}.auth.${data.aws_region.this.name}.amazoncognito.com/saml2/idpresponse"
    saml_entity_id  = "urn:amazon:cognito:sp:${aws_cognito_user_pool.this[0].id}"
    relay_client_id = aws_cognito_user_pool_client.relay[0].id
  }
}

output "domain_target" {
  description = "What your own host name must point at (CNAME). Null without `domain`."
  value       = one(aws_apigatewayv2_domain_name.this[*].domain_name_configuration[0].target_domain_name)
}

output "cookie_key" {
  description = "ARN of the KMS key that cookies are sealed with; replace it to log everybody out."
  value       = aws_kms_key.cookies.arn
}
