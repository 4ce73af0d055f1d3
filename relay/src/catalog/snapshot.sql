-- One JSON text that tells what the relay must know of a database. Every name is qualified, so that no search path
-- matters; `pinned` makes pg_get_viewdef() qualify its names too: the CASE below cannot be evaluated before it.
WITH RECURSIVE pinned AS MATERIALIZED (
    SELECT pg_catalog.set_config('search_path', 'pg_catalog', true) AS path
), domain_step AS (
    SELECT t.oid AS type, t.oid AS base, t.typtypmod AS typmod
      FROM pg_catalog.pg_type t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, s.base, CASE WHEN d.typtypmod OPERATOR(pg_catalog.>=) 0 THEN d.typtypmod ELSE s.typmod END
      FROM pg_catalog.pg_type d JOIN domain_step s ON d.typbasetype OPERATOR(pg_catalog.=) s.type
     WHERE d.typtype OPERATOR(pg_catalog.=) 'd'
), opaque_check AS (
    -- CHECK constraints of domains that call a function of somebody's.
    SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.contypid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
       AND EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) k.oid AND d.deptype OPERATOR(pg_catalog.=) 'n'
            AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass)
), plain_schema AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
     WHERE n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema,pg_toast}')
       AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_temp_')
       AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_toast_temp_')
)
SELECT pg_catalog.json_build_object(
  'format', 4,
  'server_version_num', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'login', current_user,
  'encoding', pg_catalog.getdatabaseencoding(),
  'schemas', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', s.nspname,
      'usable', pg_catalog.has_schema_privilege(s.oid, 'USAGE'))) FROM plain_schema s),
  'system_relations', (SELECT pg_catalog.json_agg(c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,p,f,S}')),
  'relations', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', c.oid::pg_catalog.int8,
      'schema', s.nspname,
      'name', c.relname,
      'kind', c.relkind,
      'readable', pg_catalog.has_table_privilege(c.oid, 'SELECT'),
      'row_security', c.relrowsecurity,
      'triggers', EXISTS (SELECT FROM pg_catalog.pg_trigger t
          WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal),
      'rules', EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
          AND r.rulename OPERATOR(pg_catalog.<>) '_RETURN'),
      'primary_key', (SELECT pg_catalog.array_to_json(k.conkey) FROM pg_catalog.pg_constraint k
          WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid AND k.contype OPERATOR(pg_catalog.=) 'p' AND NOT k.condeferrable),
      'options', c.reloptions,
      'parents', (SELECT pg_catalog.json_agg(i.inhparent::pg_catalog.int8) FROM pg_catalog.pg_inherits i
          WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid),
      'definition', CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}')
          AND p.path OPERATOR(pg_catalog.=) 'pg_catalog' THEN pg_catalog.pg_get_viewdef(c.oid) END,
      'reads', (SELECT pg_catalog.json_agg(DISTINCT d.refobjid::pg_catalog.int8)
          FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
            ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.objid OPERATOR(pg_catalog.=) r.oid
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid AND d.refobjid OPERATOR(pg_catalog.<>) c.oid),
      'trigger_functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'source', CASE WHEN l.lanname OPERATOR(pg_catalog.=) 'plpgsql' THEN f.prosrc
              WHEN f.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid THEN '' END,
          -- Its WHEN calls a function of somebody's.
          'conditional', EXISTS (SELECT FROM pg_catalog.pg_depend d
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) t.oid
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.refobjid OPERATOR(pg_catalog.<>) t.tgfoid),
          'sees_rows', t.tgqual IS NOT NULL OR t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL))
          FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid OPERATOR(pg_catalog.=) t.tgfoid
          JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) f.prolang
         WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal
           AND t.tgenabled OPERATOR(pg_catalog.<>) 'D'),
      'write_expressions', (SELECT pg_catalog.json_agg(e.text) FROM (
          SELECT pg_catalog.pg_get_expr(a.adbin, a.adrelid) AS text FROM pg_catalog.pg_attrdef a
           WHERE a.adrelid OPERATOR(pg_catalog.=) c.oid
          UNION SELECT pg_catalog.pg_get_expr(k.conbin, k.conrelid) FROM pg_catalog.pg_constraint k
           WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid AND k.contype OPERATOR(pg_catalog.=) 'c'
          UNION SELECT pg_catalog.pg_get_expr(x.indexprs, x.indrelid) FROM pg_catalog.pg_index x
           WHERE x.indrelid OPERATOR(pg_catalog.=) c.oid AND x.indexprs IS NOT NULL
          UNION SELECT pg_catalog.pg_get_expr(x.indpred, x.indrelid) FROM pg_catalog.pg_index x
           WHERE x.indrelid OPERATOR(pg_catalog.=) c.oid AND x.indpred IS NOT NULL) e
         WHERE p.path OPERATOR(pg_catalog.=) 'pg_catalog'),
      'indexes', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'name', (SELECT i.relname FROM pg_catalog.pg_class i WHERE i.oid OPERATOR(pg_catalog.=) x.indexrelid),
          'unique', x.indisunique OR x.indisexclusion,
          'nulls_distinct', NOT x.indnullsnotdistinct,
          'columns', (SELECT pg_catalog.json_agg(k.number)
              FROM pg_catalog.unnest(x.indkey::pg_catalog.int2[]) AS k (number)
             WHERE k.number OPERATOR(pg_catalog.>) 0),
          'expressions', pg_catalog.pg_get_expr(x.indexprs, x.indrelid),
          'predicate', pg_catalog.pg_get_expr(x.indpred, x.indrelid)))
          FROM pg_catalog.pg_index x WHERE x.indrelid OPERATOR(pg_catalog.=) c.oid
           AND p.path OPERATOR(pg_catalog.=) 'pg_catalog'),
      -- Also NOT NULL, where older rows were not held to it.
      'checks', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'columns', k.conkey, 'validated', k.convalidated,
          'expression', pg_catalog.pg_get_expr(k.conbin, k.conrelid)))
          FROM pg_catalog.pg_constraint k WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid
           AND (k.contype OPERATOR(pg_catalog.=) 'c' OR k.contype OPERATOR(pg_catalog.=) 'n' AND NOT k.convalidated)
           AND p.path OPERATOR(pg_catalog.=) 'pg_catalog'),
      'partition_key', (SELECT pg_catalog.json_agg(n.number) FROM pg_catalog.pg_partitioned_table k,
          pg_catalog.unnest(k.partattrs::pg_catalog.int2[]) AS n (number) WHERE k.partrelid OPERATOR(pg_catalog.=) c.oid),
      -- Neither views, nor keys, nor what is its own.
      'others_depend', EXISTS (SELECT FROM (VALUES ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid),
              ('pg_catalog.pg_type'::pg_catalog.regclass, c.reltype),
              ('pg_catalog.pg_type'::pg_catalog.regclass, (SELECT t.typarray FROM pg_catalog.pg_type t
                  WHERE t.oid OPERATOR(pg_catalog.=) c.reltype))
            -- Sequences that are its own, and fall with it.
            UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, q.objid FROM pg_catalog.pg_depend q
              JOIN pg_catalog.pg_class z ON z.oid OPERATOR(pg_catalog.=) q.objid AND z.relkind OPERATOR(pg_catalog.=) 'S'
             WHERE q.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
               AND q.refobjid OPERATOR(pg_catalog.=) c.oid
               AND q.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid) AS o (class, object)
          JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) o.class::pg_catalog.oid
           AND d.refobjid OPERATOR(pg_catalog.=) o.object AND d.deptype OPERATOR(pg_catalog.=) 'n'
         WHERE NOT CASE
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_rewrite r
              JOIN pg_catalog.pg_class v ON v.oid OPERATOR(pg_catalog.=) r.ev_class
              WHERE r.oid OPERATOR(pg_catalog.=) d.objid AND (r.ev_class OPERATOR(pg_catalog.=) c.oid
                OR r.rulename OPERATOR(pg_catalog.=) '_RETURN' AND o.object OPERATOR(pg_catalog.=) c.oid))
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_constraint k
              WHERE k.oid OPERATOR(pg_catalog.=) d.objid
                AND (k.contype OPERATOR(pg_catalog.=) 'f' OR k.conrelid OPERATOR(pg_catalog.=) c.oid))
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid THEN d.objid OPERATOR(pg_catalog.=) c.oid
              OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid OPERATOR(pg_catalog.=) d.objid
                AND i.inhparent OPERATOR(pg_catalog.=) c.oid)
              OR EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indexrelid OPERATOR(pg_catalog.=) d.objid
                AND x.indrelid OPERATOR(pg_catalog.=) c.oid)
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_trigger t
              WHERE t.oid OPERATOR(pg_catalog.=) d.objid AND t.tgrelid OPERATOR(pg_catalog.=) c.oid)
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_attrdef g
              WHERE g.oid OPERATOR(pg_catalog.=) d.objid AND g.adrelid OPERATOR(pg_catalog.=) c.oid)
          WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_policy'::pg_catalog.regclass::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_policy y
              WHERE y.oid OPERATOR(pg_catalog.=) d.objid AND y.polrelid OPERATOR(pg_catalog.=) c.oid)
          ELSE false END),
      'opaque_writes', EXISTS (SELECT FROM opaque_check) AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
         WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
           AND t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND t.typtype OPERATOR(pg_catalog.<>) 'e')
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.deptype OPERATOR(pg_catalog.=) 'n'
            AND ((d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                  AND EXISTS (SELECT FROM pg_catalog.pg_attrdef a WHERE a.oid OPERATOR(pg_catalog.=) d.objid
                      AND a.adrelid OPERATOR(pg_catalog.=) c.oid))
              OR (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass
                  AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid OPERATOR(pg_catalog.=) d.objid
                      AND k.conrelid OPERATOR(pg_catalog.=) c.oid))
              OR (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indexrelid OPERATOR(pg_catalog.=) d.objid
                      AND x.indrelid OPERATOR(pg_catalog.=) c.oid)))),
      'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'number', a.attnum,
          'name', a.attname,
          'type', a.atttypid::pg_catalog.int8,
          'base', b.base::pg_catalog.int8,
          'typmod', CASE WHEN a.atttypid OPERATOR(pg_catalog.=) b.base THEN a.atttypmod ELSE b.typmod END,
          'base_kind', bt.typtype,
          -- By the pinned path a name is qualified unless it is of pg_catalog.
          'base_name', CASE WHEN p.path OPERATOR(pg_catalog.=) 'pg_catalog' THEN pg_catalog.format_type(b.base,
              CASE WHEN a.atttypid OPERATOR(pg_catalog.=) b.base THEN a.atttypmod ELSE b.typmod END) END,
          'label', CASE WHEN bt.typtype OPERATOR(pg_catalog.=) 'e' THEN (SELECT e.enumlabel FROM pg_catalog.pg_enum e
              WHERE e.enumtypid OPERATOR(pg_catalog.=) b.base ORDER BY e.enumsortorder LIMIT 1) END,
          'collation', CASE WHEN a.attcollation OPERATOR(pg_catalog.<>) 0
              AND a.attcollation OPERATOR(pg_catalog.<>) bt.typcollation
              THEN (SELECT pg_catalog.concat(pg_catalog.quote_ident(k.nspname::pg_catalog.text), '.',
                      pg_catalog.quote_ident(l.collname::pg_catalog.text))
                      FROM pg_catalog.pg_collation l
                      JOIN pg_catalog.pg_namespace k ON k.oid OPERATOR(pg_catalog.=) l.collnamespace
                     WHERE l.oid OPERATOR(pg_catalog.=) a.attcollation) END,
          'default', CASE WHEN a.attgenerated OPERATOR(pg_catalog.=) '' AND p.path OPERATOR(pg_catalog.=) 'pg_catalog' THEN
              (SELECT pg_catalog.pg_get_expr(g.adbin, g.adrelid) FROM pg_catalog.pg_attrdef g
                WHERE g.adrelid OPERATOR(pg_catalog.=) a.attrelid AND g.adnum OPERATOR(pg_catalog.=) a.attnum) END,
          'identity', a.attidentity OPERATOR(pg_catalog.<>) '',
          'generated_from', CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN
              (SELECT pg_catalog.json_agg(d.refobjsubid) FROM pg_catalog.pg_attrdef g
                 JOIN pg_catalog.pg_depend d
                   ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                  AND d.objid OPERATOR(pg_catalog.=) g.oid
                  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid
                  AND d.refobjsubid OPERATOR(pg_catalog.<>) a.attnum
                WHERE g.adrelid OPERATOR(pg_catalog.=) a.attrelid AND g.adnum OPERATOR(pg_catalog.=) a.attnum) END
        ) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        JOIN domain_step b ON b.type OPERATOR(pg_catalog.=) a.atttypid
        JOIN pg_catalog.pg_type bt ON bt.oid OPERATOR(pg_catalog.=) b.base
       WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped)
    )) FROM pg_catalog.pg_class c JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace CROSS JOIN pinned p
     WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}')),
  'foreign_keys', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'from', k.conrelid::pg_catalog.int8, 'from_columns', k.conkey,
      'to', k.confrelid::pg_catalog.int8, 'to_columns', k.confkey,
      'acts', k.confupdtype OPERATOR(pg_catalog.<>) ALL ('{a,r}') OR k.confdeltype OPERATOR(pg_catalog.<>) ALL ('{a,r}')))
      FROM pg_catalog.pg_constraint k WHERE k.contype OPERATOR(pg_catalog.=) 'f'),
  'dependents', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', s.nspname, 'name', c.relname, 'sequence', c.relkind OPERATOR(pg_catalog.=) 'S',
      'of', COALESCE((SELECT x.indrelid::pg_catalog.int8 FROM pg_catalog.pg_index x
              WHERE x.indexrelid OPERATOR(pg_catalog.=) c.oid),
          (SELECT pg_catalog.max(d.refobjid::pg_catalog.int8) FROM pg_catalog.pg_depend d
            WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.objid OPERATOR(pg_catalog.=) c.oid
              AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}')))))
      FROM pg_catalog.pg_class c JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{i,I,S}')),
  'types', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', t.oid::pg_catalog.int8, 'schema', s.nspname, 'name', t.typname, 'kind', t.typtype,
      'relation', (SELECT r.oid::pg_catalog.int8 FROM pg_catalog.pg_class r
          WHERE r.oid OPERATOR(pg_catalog.=) t.typrelid AND r.relkind OPERATOR(pg_catalog.<>) 'c'),
      'parts', h.parts, 'odd', h.odd,
      'checks', CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'd' AND p.path OPERATOR(pg_catalog.=) 'pg_catalog' THEN
          (SELECT pg_catalog.json_agg(pg_catalog.pg_get_expr(k.conbin, 0::pg_catalog.oid)) FROM pg_catalog.pg_constraint k
            WHERE k.contypid OPERATOR(pg_catalog.=) t.oid AND k.contype OPERATOR(pg_catalog.=) 'c') END))
      FROM pg_catalog.pg_type t JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) t.typnamespace CROSS JOIN pinned p
      CROSS JOIN LATERAL (SELECT pg_catalog.json_agg(DISTINCT e.oid::pg_catalog.int8) AS parts,
              pg_catalog.bool_or(e.typtype OPERATOR(pg_catalog.=) 'd' AND t.typtype OPERATOR(pg_catalog.=) 'd'
                OR e.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid
                AND e.typtype OPERATOR(pg_catalog.<>) ALL ('{b,r,m}'::pg_catalog."char"[])) IS TRUE AS odd
          FROM (SELECT t.typbasetype AS type WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
                UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                 WHERE t.typtype OPERATOR(pg_catalog.=) 'c' AND a.attrelid OPERATOR(pg_catalog.=) t.typrelid
                   AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) u
          JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) u.type
          JOIN pg_catalog.pg_type e ON e.oid OPERATOR(pg_catalog.=) CASE WHEN y.typcategory OPERATOR(pg_catalog.=) 'A'
              AND y.typelem OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN y.typelem ELSE y.oid END) h),
  -- Where all functions of a name have such a body.
  'parsed_functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', g.nspname, 'name', g.proname, 'bodies', g.bodies)) FROM (
      SELECT s.nspname, f.proname, pg_catalog.json_agg(pg_catalog.pg_get_function_sqlbody(f.oid)) AS bodies
        FROM pg_catalog.pg_proc f JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) f.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) f.prolang CROSS JOIN pinned p
       WHERE p.path OPERATOR(pg_catalog.=) 'pg_catalog'
       GROUP BY s.nspname, f.proname
      HAVING pg_catalog.bool_and(f.prosqlbody IS NOT NULL AND f.prokind OPERATOR(pg_catalog.=) 'f'
           AND l.lanname OPERATOR(pg_catalog.=) 'sql' AND NOT f.prosecdef AND f.proconfig IS NULL AND NOT f.proretset
           AND f.pronargdefaults OPERATOR(pg_catalog.=) 0::pg_catalog.int2
           AND f.provariadic OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND f.proallargtypes IS NULL
           AND f.prorettype OPERATOR(pg_catalog.<) 16384::pg_catalog.oid
           AND NOT EXISTS (SELECT FROM pg_catalog.unnest(f.proargtypes::pg_catalog.oid[]) AS a (type)
               WHERE a.type OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid))) g),
  'functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.nspname, g.proname, g.foreign_types))
      FROM (SELECT s.nspname, f.proname, pg_catalog.bool_and(
              EXISTS (SELECT FROM pg_catalog.pg_depend d
                 WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                   AND d.objid OPERATOR(pg_catalog.=) f.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')
              AND EXISTS (SELECT FROM pg_catalog.pg_type t JOIN plain_schema k ON k.oid OPERATOR(pg_catalog.=) t.typnamespace
                 WHERE t.oid OPERATOR(pg_catalog.=) ANY (f.proargtypes::pg_catalog.oid[]))) AS foreign_types
          FROM pg_catalog.pg_proc f JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) f.pronamespace
         GROUP BY s.nspname, f.proname) g),
  'added_to_pg_catalog', (SELECT pg_catalog.json_agg(DISTINCT f.proname) FROM pg_catalog.pg_proc f
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND f.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid),
  'event_triggers', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'source', CASE WHEN l.lanname OPERATOR(pg_catalog.=) 'plpgsql' THEN f.prosrc END, 'conditional', false))
      FROM pg_catalog.pg_event_trigger t JOIN pg_catalog.pg_proc f ON f.oid OPERATOR(pg_catalog.=) t.evtfoid
      JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) f.prolang
     WHERE t.evtenabled OPERATOR(pg_catalog.<>) 'D'),
  'opaque_operator_classes', (SELECT pg_catalog.json_agg(DISTINCT y.opfname) FROM pg_catalog.pg_opfamily y
      JOIN (SELECT m.amprocfamily AS family, m.amproc::pg_catalog.oid AS code FROM pg_catalog.pg_amproc m
            UNION SELECT m.amopfamily, o.oprcode::pg_catalog.oid FROM pg_catalog.pg_amop m
              JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) m.amopopr) u
        ON u.family OPERATOR(pg_catalog.=) y.oid AND u.code OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
      JOIN pg_catalog.pg_proc f ON f.oid OPERATOR(pg_catalog.=) u.code
      JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) f.prolang
     WHERE l.lanname OPERATOR(pg_catalog.<>) ALL ('{c,internal}')),
  'sequences', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', c.oid::pg_catalog.int8,
      'schema', s.nspname,
      'name', c.relname,
      'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(u.relation, u.number)) FROM (
          SELECT a.adrelid::pg_catalog.int8 AS relation, a.adnum::pg_catalog.int4 AS number
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid OPERATOR(pg_catalog.=) d.objid
           WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
             AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refobjid OPERATOR(pg_catalog.=) c.oid
          UNION SELECT d.refobjid::pg_catalog.int8, d.refobjsubid FROM pg_catalog.pg_depend d
           WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.objid OPERATOR(pg_catalog.=) c.oid
             AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refobjsubid OPERATOR(pg_catalog.<>) 0) u)))
      FROM pg_catalog.pg_class c JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE c.relkind OPERATOR(pg_catalog.=) 'S'),
  'system_columns', (SELECT pg_catalog.json_object_agg(c.relname, (
      SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
       WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2))
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND c.relname OPERATOR(pg_catalog.=) ANY (
       '{pg_attribute,pg_cursors,pg_locks,pg_prepared_statements,pg_stat_activity,pg_stat_all_indexes,pg_stat_all_tables,pg_stat_database,pg_stat_gssapi,pg_stat_replication,pg_stat_ssl,pg_stat_user_indexes,pg_stat_user_tables,pg_statio_all_indexes,pg_statio_all_tables,pg_statio_user_indexes,pg_statio_user_tables,pg_subscription,pg_user_mappings}')),
  'other_functions', (SELECT pg_catalog.json_agg(DISTINCT f.proname) FROM pg_catalog.pg_proc f
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND (f.pronargs OPERATOR(pg_catalog.=) 0::pg_catalog.int2
       OR f.pronargs OPERATOR(pg_catalog.-) f.pronargdefaults OPERATOR(pg_catalog.>) 1
       AND f.proargtypes[0] OPERATOR(pg_catalog.<>) 'pg_catalog.internal'::pg_catalog.regtype::pg_catalog.oid)),
  -- What `value.name` can be a call of. A function that takes what no client can make is none.
  'unary_functions', (SELECT pg_catalog.json_agg(DISTINCT f.proname) FROM pg_catalog.pg_proc f
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND f.pronargs OPERATOR(pg_catalog.>=) 1::pg_catalog.int2
       AND f.pronargs OPERATOR(pg_catalog.-) f.pronargdefaults OPERATOR(pg_catalog.<=) 1
       AND f.proargtypes[0] OPERATOR(pg_catalog.<>) 'pg_catalog.internal'::pg_catalog.regtype::pg_catalog.oid),
  -- What may serve as the mask `hash`: it runs with rights that the login has not, and cannot be taken for another one.
  'hash_functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, f.proname)) FROM pg_catalog.pg_proc f
      JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) f.pronamespace
     WHERE f.prokind OPERATOR(pg_catalog.=) 'f' AND NOT f.proretset AND f.proisstrict AND f.prosecdef
       AND f.provolatile OPERATOR(pg_catalog.<>) 'v' AND f.pronargs OPERATOR(pg_catalog.=) 1::pg_catalog.int2
       AND f.provariadic OPERATOR(pg_catalog.=) 0::pg_catalog.oid
       AND f.proargtypes[0] OPERATOR(pg_catalog.=) 'pg_catalog.text'::pg_catalog.regtype::pg_catalog.oid
       AND f.prorettype OPERATOR(pg_catalog.=) 'pg_catalog.text'::pg_catalog.regtype::pg_catalog.oid
       AND EXISTS (SELECT FROM pg_catalog.unnest(f.proconfig) c (setting)
             WHERE pg_catalog.starts_with(c.setting, 'search_path='))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc o WHERE o.pronamespace OPERATOR(pg_catalog.=) f.pronamespace
             AND o.proname OPERATOR(pg_catalog.=) f.proname AND o.oid OPERATOR(pg_catalog.<>) f.oid)
       AND NOT pg_catalog.pg_has_role(f.proowner, 'USAGE')
       AND pg_catalog.has_schema_privilege(s.oid, 'USAGE') AND pg_catalog.has_function_privilege(f.oid, 'EXECUTE')),
  'operators', (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(s.nspname, o.oprname))
      FROM pg_catalog.pg_operator o JOIN plain_schema s ON s.oid OPERATOR(pg_catalog.=) o.oprnamespace
     -- An extension's operator in C over nothing but its own types runs no SQL and takes no value of a built-in type.
     WHERE NOT (EXISTS (SELECT FROM pg_catalog.pg_depend d
             WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
               AND d.objid OPERATOR(pg_catalog.=) o.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')
         AND EXISTS (SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) f.prolang
             WHERE f.oid OPERATOR(pg_catalog.=) o.oprcode AND l.lanname OPERATOR(pg_catalog.=) ANY ('{c,internal}'))
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t
             JOIN pg_catalog.pg_namespace k ON k.oid OPERATOR(pg_catalog.=) t.typnamespace
             WHERE t.oid OPERATOR(pg_catalog.=) ANY (ARRAY[o.oprleft, o.oprright])
               AND k.nspname OPERATOR(pg_catalog.=) 'pg_catalog'))),
  'operators_added_to_pg_catalog', (SELECT pg_catalog.json_agg(DISTINCT o.oprname) FROM pg_catalog.pg_operator o
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid),
  'opaque_casts', (SELECT pg_catalog.json_agg(pg_catalog.concat(
          pg_catalog.format_type(k.castsource, NULL), ' to ', pg_catalog.format_type(k.casttarget, NULL)))
      FROM pg_catalog.pg_cast k
     WHERE k.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND k.castfunc OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
       AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_cast'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) k.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')
           OR (k.castsource OPERATOR(pg_catalog.<) 16384::pg_catalog.oid AND k.casttarget OPERATOR(pg_catalog.<) 16384::pg_catalog.oid)))
)::pg_catalog.text
