# For who has a SAML identity provider and no OpenID Connect one: Cognito speaks SAML to the provider and OpenID Connect to
# us. What of it is untested stands in infra/README.md.

resource "aws_cognito_user_pool" "this" {
  count = var.cognito == null ? 0 : 1

  name                = local.name
  deletion_protection = var.force_destroy ? "INACTIVE" : "ACTIVE"

  # People come from the provider alone.
  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  schema {
    name                     = "groups"
    attribute_data_type      = "String"
    mutable                  = true
    developer_only_attribute = false
    required                 = false

    string_attribute_constraints {
      min_length = "0"
      max_length = "2048"
    }
  }
}

resource "aws_cognito_user_pool_domain" "this" {
  count = var.cognito == null ? 0 : 1

  domain       = var.cognito.domain_prefix
  user_pool_id = aws_cognito_user_pool.this[0].id
}

resource "aws_cognito_identity_provider" "saml" {
  count = var.cognito == null ? 0 : 1

  user_pool_id  = aws_cognito_user_pool.this[0].id
  provider_name = "saml"
  provider_type = "SAML"

  provider_details = {
    MetadataURL             = var.cognito.saml_metadata_url
    RequestSigningAlgorithm = "rsa-sha256"
    EncryptedResponses      = "false"
    IDPInit                 = "false"
  }

  attribute_mapping = {
    email           = var.cognito.email_attribute
    "custom:groups" = var.cognito.groups_attribute
  }
}

# Two clients, for a stored decision holds its approver's token: with the relay's own client it would open sessions.
resource "aws_cognito_user_pool_client" "console" {
  count = var.cognito == null ? 0 : 1

  name                                 = "console"
  user_pool_id                         = aws_cognito_user_pool.this[0].id
  supported_identity_providers         = [aws_cognito_identity_provider.saml[0].provider_name]
  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email", "profile"]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]
  callback_urls                        = ["${local.url}/callback"]
  prevent_user_existence_errors        = "ENABLED"
  id_token_validity                    = 15
  access_token_validity                = 15

  token_validity_units {
    id_token     = "minutes"
    access_token = "minutes"
  }
}

resource "aws_cognito_user_pool_client" "relay" {
  count = var.cognito == null ? 0 : 1

  name                                 = "relay"
  user_pool_id                         = aws_cognito_user_pool.this[0].id
  supported_identity_providers         = [aws_cognito_identity_provider.saml[0].provider_name]
  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email", "profile"]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]
  callback_urls                        = var.cognito.engineer_callbacks
  prevent_user_existence_errors        = "ENABLED"
  id_token_validity                    = 8 # A working day: a session lives as long as its token.
  access_token_validity                = 1

  token_validity_units {
    id_token     = "hours"
    access_token = "hours"
  }
}
