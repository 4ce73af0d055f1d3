# The lake: tables drawn from evidence, for questions over a long time. They prove nothing; a bundle does.
#
# One file a session and table: tables/1/<table>/day=<day the session was opened, UTC>/<session>.parquet. Columns are those of
# schemas/TABLES.md, which is read here, so that there is no second list to keep. The indexer draws them (functions/src/lake).

locals {
  page   = file("${path.module}/../../../schemas/TABLES.md")
  format = "1"

  sections = {
    for section in slice(split("\n## Table ", local.page), 1, length(split("\n## Table ", local.page))) :
    trimspace(split("\n", section)[0]) => regexall("(?m)^\\| `([a-z0-9_]+)` \\| (text|integer|boolean|time|texts)[ ,|]", section)
  }
  types = { text = "string", integer = "bigint", boolean = "boolean", time = "timestamp", texts = "array<string>" }

  lake = "s3://${var.evidence.buckets.lake}/${var.evidence.places.tables.prefix}${local.format}"
}

resource "aws_glue_catalog_database" "this" {
  name        = replace(local.name, "-", "_")
  description = "Tables drawn from the evidence of ${var.evidence.tenant}, ${var.evidence.environment}"
}

resource "aws_glue_catalog_table" "this" {
  for_each = local.sections

  name          = each.key
  database_name = aws_glue_catalog_database.this.name
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "EXTERNAL"                     = "TRUE"
    "classification"               = "parquet"
    "projection.enabled"           = "true"
    "projection.day.type"          = "date"
    "projection.day.format"        = "yyyy-MM-dd"
    "projection.day.range"         = "2026-01-01,NOW"
    "projection.day.interval"      = "1"
    "projection.day.interval.unit" = "DAYS"
    "storage.location.template"    = "${local.lake}/${each.key}/day=$${day}/"
  }

  partition_keys {
    name = "day"
    type = "string"
  }

  storage_descriptor {
    location      = "${local.lake}/${each.key}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = each.value
      content {
        name = columns.value[0]
        type = local.types[columns.value[1]]
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = local.name
  description   = "Questions about the evidence of ${var.evidence.tenant}, ${var.evidence.environment}"
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.athena_scan_gb * 1000 * 1000 * 1000

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${var.evidence.buckets.lake}/athena/"
      expected_bucket_owner = local.account

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = local.keys.storage
      }
    }
  }
}

locals {
  queries = {
    who-read-a-table = {
      description = "Who touched a relation, how often, and with how many protected columns in clear"
      text        = <<-SQL
        SELECT subject, issuer, action, decision, count(*) AS statements, sum(revealed) AS revealed, min("time") AS first, max("time") AS last
        FROM objects_touched
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30' AND object = 'clinic.patients'
        GROUP BY subject, issuer, action, decision ORDER BY statements DESC
      SQL
    }
    what-somebody-did = {
      description = "Every statement of one identity"
      text        = <<-SQL
        SELECT "time", connection, decision, outcome, rows_returned, rows_affected, "text", session, statement
        FROM statements
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30' AND subject = 'alice'
        ORDER BY "time"
      SQL
    }
    what-was-seen-in-clear = {
      description = "Protected columns that policy revealed, by whom"
      text        = <<-SQL
        SELECT subject, object, "column", count(*) AS statements, max("time") AS last
        FROM masking
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30' AND treatment = 'revealed'
        GROUP BY subject, object, "column" ORDER BY statements DESC
      SQL
    }
    what-was-refused = {
      description = "Statements that were not let through, and why"
      text        = <<-SQL
        SELECT "time", subject, connection, class, refused_by, reason, array_join(objects, ', ') AS objects, session, statement
        FROM denials
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30'
        ORDER BY "time"
      SQL
    }
    who-approved = {
      description = "Requests for approval, who decided on them, and what became of them"
      text        = <<-SQL
        SELECT requested, subject, connection, reason, verdict, approver_subject, rationale, decided, outcome, problem
        FROM approvals
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30'
        ORDER BY requested
      SQL
    }
    who-may-what = {
      description = "What each identity was permitted in its sessions"
      text        = <<-SQL
        SELECT DISTINCT subject, connection, object, array_join(permitted, ', ') AS permitted, array_join(held, ', ') AS held, array_join(revealed, ', ') AS revealed
        FROM grants
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30'
        ORDER BY subject, object
      SQL
    }
    what-is-not-whole = {
      description = "Sessions that did not end as they should, and executions of which nobody knows whether they ran"
      text        = <<-SQL
        SELECT opened, session, relay, subject, state, close_reason, recovered, outcome_unknown
        FROM sessions
        WHERE day BETWEEN '2026-11-01' AND '2026-11-30' AND (state <> 'complete' OR recovered OR outcome_unknown > 0)
        ORDER BY opened
      SQL
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.this.name
  database    = aws_glue_catalog_database.this.name
  query       = each.value.text
}
