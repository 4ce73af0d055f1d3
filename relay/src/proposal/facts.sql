-- What the snapshot does not tell and a proposal wants: comments, primary keys, sizes. Qualified as the snapshot's query is.
SELECT pg_catalog.json_build_object(
  'comments', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(d.objoid::pg_catalog.int8, d.objsubid, d.description))
      FROM pg_catalog.pg_description d
     WHERE d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
       AND d.objoid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND d.objsubid OPERATOR(pg_catalog.>) 0),
  'keys', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(k.conrelid::pg_catalog.int8, n.number))
      FROM pg_catalog.pg_constraint k, pg_catalog.unnest(k.conkey) AS n (number)
     WHERE k.contype OPERATOR(pg_catalog.=) ANY ('{p,f}')),
  'rows', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, c.reltuples::pg_catalog.float8))
      FROM pg_catalog.pg_class c WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,p}')
       AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND c.reltuples OPERATOR(pg_catalog.>) 0::pg_catalog.float4)
)::pg_catalog.text
