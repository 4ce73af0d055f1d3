"""What SQLAlchemy asks and does, a function a case. Prints what came back. Settings come from libpq's variables."""

import sys

import sqlalchemy
from sqlalchemy import MetaData, Table, bindparam, case, cast, func, insert, inspect, literal, select, text, union_all, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session, configure_mappers, joinedload, selectinload, subqueryload

engine = sqlalchemy.create_engine("postgresql+psycopg://")
about = inspect(engine)


def show(value):
    """A line a thing, in an order of its own where it has none."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            print(key, "=", value[key])
    elif isinstance(value, (list, tuple)):
        for one in value:
            print(one)
    else:
        print(value)


def schemas():
    show(about.get_schema_names())
    print(about.default_schema_name)


def tables():
    for schema in ("clinic", "billing", "app"):
        show(sorted(about.get_table_names(schema)))
        show(sorted(about.get_view_names(schema)))
        show(sorted(about.get_materialized_view_names(schema)))
        show(sorted(about.get_sequence_names(schema)))
    show(about.get_temp_table_names())


def columns():
    for table in ("patients", "visits", "clinicians", "contacts"):
        show(about.get_columns(table, "clinic"))
    show(about.get_columns("invoices", "billing"))
    show(about.get_columns("posts", "app"))
    show([(one["name"], str(one["type"])) for one in about.get_columns("samples", "reference")])


def multi_columns():
    show({key: [one["name"] for one in value] for key, value in about.get_multi_columns("billing").items()})


def keys():
    show(about.get_multi_pk_constraint("clinic"))
    show(about.get_multi_foreign_keys("clinic"))
    show(about.get_multi_foreign_keys("billing"))
    show(about.get_foreign_keys("posts", "app"))
    show(about.get_multi_unique_constraints("clinic"))
    show(about.get_check_constraints("invoices", "billing"))


def indexes():
    for table, schema in (("patients", "clinic"), ("visits", "clinic"), ("invoices", "billing"), ("posts", "app")):
        show(sorted(about.get_indexes(table, schema), key=lambda index: index["name"]))


def comments():
    show(about.get_multi_table_comment("clinic"))
    show(about.get_table_options("patients", "clinic"))


def enums_and_domains():
    show(about.get_enums("billing"))
    show(about.get_domains("billing"))


def view_definition():
    print(about.get_view_definition("contacts", "clinic"))
    print(about.get_view_definition("open_invoices", "billing"))


def has_table():
    print(about.has_table("patients", "clinic"), about.has_table("nowhere", "clinic"), about.has_sequence("numbers", "reference"))
    print(about.has_schema("clinic"), about.has_index("patients", "patients_ward", "clinic"))


def reflect_schema():
    whole = MetaData()
    for schema in ("clinic", "billing", "app"):
        whole.reflect(engine, schema=schema, views=True)
    for table in whole.sorted_tables:
        print(table.fullname, [f"{column.name} {column.type!r}" for column in table.columns])


def reflected():
    whole = MetaData()
    whole.reflect(engine, schema="clinic", only=["patients", "visits", "clinicians"])
    whole.reflect(engine, schema="billing", only=["invoices", "payers"])
    return (whole.tables[name] for name in ("clinic.patients", "clinic.visits", "billing.invoices", "billing.payers"))


def core_select():
    patients, visits, invoices, payers = reflected()
    with engine.connect() as connection:
        show(connection.execute(select(patients).where(patients.c.id.in_([1, 31, 62])).order_by(patients.c.id)).all())
        counted = select(visits.c.department, func.count().label("n"), func.sum(visits.c.minutes)).group_by(visits.c.department)
        show(connection.execute(counted.order_by(visits.c.department)).all())
        joined = select(patients.c.ward, func.sum(invoices.c.amount)).join_from(invoices, patients).group_by(patients.c.ward)
        show(connection.execute(joined.having(func.count() > 5).order_by(patients.c.ward)).all())


def core_expressions():
    patients, visits, invoices, payers = reflected()
    size = case((invoices.c.amount > 500, "large"), else_="small")
    ranked = select(
        invoices.c.id, size.label("size"), func.row_number().over(partition_by=invoices.c.payer_id, order_by=invoices.c.amount.desc()).label("place")
    ).subquery()
    recent = select(visits.c.patient_id).where(visits.c.visited_on > func.make_date(2025, 10, 1)).cte("recent")
    with engine.connect() as connection:
        show(connection.execute(select(ranked).where(ranked.c.place <= 2).order_by(ranked.c.id)).all())
        show(connection.execute(select(patients.c.id, patients.c.name).where(patients.c.id.in_(select(recent))).order_by(patients.c.id).limit(9)).all())
        texts = select(func.coalesce(invoices.c.note, "-"), cast(invoices.c.status, sqlalchemy.Text), invoices.c.paid_at.is_(None))
        show(connection.execute(texts.order_by(invoices.c.id).limit(5)).all())
        both = union_all(select(payers.c.name, literal(1)), select(payers.c.name, literal(2))).order_by("name", sqlalchemy.text("2"))
        show(connection.execute(both).all())
        lateral = select(invoices.c.amount).where(invoices.c.payer_id == payers.c.id).order_by(invoices.c.id).limit(1).lateral("one")
        show(connection.execute(select(payers.c.name, lateral.c.amount).join(lateral, sqlalchemy.true()).order_by(payers.c.id)).all())


def raw_text():
    with engine.connect() as connection:
        sql = text("SELECT id, name, ssn FROM clinic.patients WHERE ward = :ward AND registered_on > :day ORDER BY id LIMIT 5")
        show(connection.execute(sql, {"ward": "north", "day": "2018-01-01"}).all())
        many = text("SELECT id FROM billing.invoices WHERE id IN :ids ORDER BY id").bindparams(bindparam("ids", expanding=True))
        show(connection.execute(many, {"ids": [3, 1, 2]}).all())


def orm():
    base = automap_base()
    base.prepare(autoload_with=engine, schema="clinic", reflection_options={"only": ["patients", "visits"]})
    configure_mappers()
    Patient, Visit = base.classes.patients, base.classes.visits
    with Session(engine) as session:
        for patient in session.scalars(select(Patient).options(selectinload(Patient.visits_collection)).where(Patient.id < 5).order_by(Patient.id)):
            print(patient.id, patient.name, patient.birth_date, sorted(visit.id for visit in patient.visits_collection))
        for visit in session.scalars(select(Visit).options(joinedload(Visit.patients)).order_by(Visit.id).limit(5)):
            print(visit.id, visit.notes, visit.patients.ssn)
        for patient in session.scalars(select(Patient).options(subqueryload(Patient.visits_collection)).where(Patient.id < 3).order_by(Patient.id)):
            print(patient.id, len(patient.visits_collection))
        print(session.get(Patient, 7).email, session.query(Patient).filter_by(ward="east").count())
        print(session.scalar(select(sqlalchemy.exists().where(Patient.ward == "nowhere"))))


def streaming():
    patients, *_ = reflected()
    with engine.connect() as connection:
        rows = connection.execution_options(yield_per=64).execute(select(patients.c.id, patients.c.ssn).order_by(patients.c.id))
        for part in rows.partitions():
            print(len(part), part[0])


def writes():
    _, _, invoices, payers = reflected()
    with engine.connect() as connection:
        made = connection.execute(insert(payers).returning(payers.c.id), [{"id": 300 + n, "name": f"payer {n}"} for n in range(3)])
        show(made.all())
        show(connection.execute(update(payers).where(payers.c.id == 301).values(name=payers.c.name + "!").returning(payers)).all())
        again = postgresql.insert(payers).values(id=301, name="other")
        again = again.on_conflict_do_update(index_elements=["id"], set_={"name": again.excluded.name}).returning(payers.c.name)
        print(connection.execute(again).scalar())
        nested = connection.begin_nested()
        print(connection.execute(payers.delete().where(payers.c.id >= 300)).rowcount)
        nested.rollback()
        locked = select(payers.c.id).where(payers.c.id >= 300).with_for_update(skip_locked=True).order_by(payers.c.id)
        show(connection.execute(locked).all())
        connection.rollback()
        print(connection.scalar(select(func.count()).select_from(payers).where(payers.c.id >= 300)))


def create_all():
    whole = MetaData(schema="work")
    wards = Table(
        "sa_wards", whole, sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True), sqlalchemy.Column("name", sqlalchemy.String(40), unique=True, nullable=False),
        sqlalchemy.Column("made", sqlalchemy.DateTime(timezone=True), server_default=func.now()), sqlalchemy.Column("beds", sqlalchemy.Integer, server_default="4"),
    )
    Table("sa_rooms", whole, sqlalchemy.Column("id", sqlalchemy.BigInteger, primary_key=True), sqlalchemy.Column("ward_id", sqlalchemy.ForeignKey(wards.c.id), index=True))
    try:
        whole.create_all(engine)
        with engine.begin() as connection:
            print(connection.execute(insert(wards).values(name="north").returning(wards.c.id, wards.c.beds)).all())
    finally:
        whole.drop_all(engine)


def isolation():
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        print(connection.get_isolation_level(), connection.scalar(text("SELECT 1")))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        print(connection.scalar(text("SELECT count(*) FROM billing.payers")))
    with engine.connect().execution_options(postgresql_readonly=True, postgresql_deferrable=True) as connection:
        print(connection.scalar(text("SHOW transaction_read_only")))


globals()[sys.argv[1]]()
engine.dispose()
