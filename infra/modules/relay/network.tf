# TCP from the client to the relay: TLS begins after PostgreSQL's SSLRequest, so it ends in the relay and nowhere before.

locals {
  # Load balancers have names of at most 32 characters, with no hyphen at the end.
  short_name = trimsuffix(substr("${local.name}-relays", 0, 32), "-")
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_150:Set by `deletion_protection`, whose default is true
  #checkov:skip=CKV_AWS_91:A network load balancer logs its TLS listeners alone, and this one has none; the relay records each connection
  #checkov:skip=CKV2_AWS_28:AWS WAF reads HTTP; this is PostgreSQL
  #checkov:skip=CKV2_AWS_20:AWS redirects HTTP; this is PostgreSQL
  name                             = local.short_name
  load_balancer_type               = "network"
  internal                         = var.internal
  subnets                          = coalesce(var.load_balancer_subnets, var.subnets)
  security_groups                  = [aws_security_group.load_balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

resource "aws_lb_listener" "this" {
  #checkov:skip=CKV_AWS_2:TLS ends in the relay, after SSLRequest, and a relay listens with TLS or not at all
  #checkov:skip=CKV_AWS_103:As above
  load_balancer_arn        = aws_lb.this.arn
  port                     = var.port
  protocol                 = "TCP"
  tcp_idle_timeout_seconds = local.idle_seconds

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:The protocol is PostgreSQL's, with TLS inside
  name                 = local.short_name
  port                 = var.port
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  preserve_client_ip   = true
  deregistration_delay = var.drain_seconds

  # Who is being stopped ends its sessions itself, with a word.
  connection_termination = false

  # One that is not ready is sent nobody new; whom it serves stays: who waits for room in the spool may wait for an hour.
  target_health_state {
    enable_unhealthy_connection_termination = false
    unhealthy_draining_interval             = 3600
  }

  # A relay that cannot record is not ready.
  health_check {
    protocol            = "HTTP"
    port                = tostring(local.health)
    path                = "/ready"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_security_group" "load_balancer" {
  name        = "${local.name}-relays-in"
  description = "Clients of the relays"
  vpc_id      = var.vpc_id
  tags        = { Name = "${local.name}-relays-in" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_cidrs

  security_group_id = aws_security_group.load_balancer.id
  description       = "Clients"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
}

resource "aws_vpc_security_group_egress_rule" "to_relays" {
  for_each = { clients = var.port, health = local.health }

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "To relays: ${each.key}"
  referenced_security_group_id = aws_security_group.relay.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_security_group" "relay" {
  name        = "${local.name}-relays"
  description = "Relays"
  vpc_id      = var.vpc_id
  tags        = { Name = "${local.name}-relays" }
}

resource "aws_vpc_security_group_ingress_rule" "relay" {
  for_each = { clients = var.port, health = local.health }

  security_group_id            = aws_security_group.relay.id
  description                  = "From the load balancer: ${each.key}"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# Cancel requests that reached the wrong relay.
resource "aws_vpc_security_group_ingress_rule" "peers" {
  security_group_id            = aws_security_group.relay.id
  description                  = "From other relays"
  referenced_security_group_id = aws_security_group.relay.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_egress_rule" "peers" {
  security_group_id            = aws_security_group.relay.id
  description                  = "To other relays"
  referenced_security_group_id = aws_security_group.relay.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_egress_rule" "spool" {
  security_group_id            = aws_security_group.relay.id
  description                  = "To the spool"
  referenced_security_group_id = aws_security_group.spool.id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  for_each = {
    for pair in setproduct(sort(var.target_cidrs), distinct([for connection in var.connections : tostring(connection.port)])) :
    "${pair[0]} ${pair[1]}" => { cidr = pair[0], port = tonumber(pair[1]) }
  }

  security_group_id = aws_security_group.relay.id
  description       = "To target databases"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = var.https_cidrs

  security_group_id = aws_security_group.relay.id
  description       = "To AWS and the issuer"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "spool" {
  name        = "${local.name}-spool"
  description = "The relays' spool"
  vpc_id      = var.vpc_id
  tags        = { Name = "${local.name}-spool" }
}

resource "aws_vpc_security_group_ingress_rule" "spool" {
  security_group_id            = aws_security_group.spool.id
  description                  = "From relays"
  referenced_security_group_id = aws_security_group.relay.id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
}

# One name for all relays, by which they find each other.
locals {
  peers = "relays.${local.name}.internal"
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${local.name}.internal"
  description = "Relays of ${var.evidence.tenant}, ${var.evidence.environment}"
  vpc         = var.vpc_id
}

resource "aws_service_discovery_service" "peers" {
  name          = "relays"
  namespace_id  = aws_service_discovery_private_dns_namespace.this.id
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}
