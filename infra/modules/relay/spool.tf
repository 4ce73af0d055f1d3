# What was recorded and not stored yet. It outlives its task: a successor of the same name takes the directory's lease and
# completes what it finds.

resource "aws_efs_file_system" "spool" {
  #checkov:skip=CKV2_AWS_18:A spool that is copied while its relay runs fences one of the two (README, Not yet); it is never to be restored from a backup
  creation_token  = "${local.name}-spool"
  encrypted       = true
  kms_key_id      = local.keys.storage
  throughput_mode = "elastic"

  tags = { Name = "${local.name}-spool" }
}

resource "aws_efs_mount_target" "spool" {
  count = length(var.subnets)

  file_system_id  = aws_efs_file_system.spool.id
  subnet_id       = var.subnets[count.index]
  security_groups = [aws_security_group.spool.id]
}

resource "aws_efs_access_point" "spool" {
  for_each = var.relays

  file_system_id = aws_efs_file_system.spool.id

  posix_user {
    uid = local.user
    gid = local.user
  }

  root_directory {
    path = "/${each.key}"
    creation_info {
      owner_uid   = local.user
      owner_gid   = local.user
      permissions = "0700"
    }
  }

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_efs_file_system_policy" "spool" {
  file_system_id = aws_efs_file_system.spool.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "*"
        Resource  = aws_efs_file_system.spool.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      # Each relay by its own access point, nobody as root.
      [for relay in sort(var.relays) : {
        Sid       = "Relay${replace(title(replace(relay, "-", " ")), " ", "")}"
        Effect    = "Allow"
        Principal = { AWS = aws_iam_role.relay[relay].arn }
        Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
        Resource  = aws_efs_file_system.spool.arn
        Condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = aws_efs_access_point.spool[relay].arn } }
      }],
    )
  })
}
