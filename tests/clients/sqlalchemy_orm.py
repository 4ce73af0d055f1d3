"""SQLAlchemy over psycopg: tables made and reflected, rows, objects, transactions. Settings come from libpq's variables."""

import datetime
import decimal

import traced

import sqlalchemy
from sqlalchemy import ForeignKey, Identity, MetaData, Numeric, String, Table, func, insert, inspect, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, joinedload, mapped_column, relationship, selectinload

refused = 0
engine = sqlalchemy.create_engine("postgresql+psycopg://", isolation_level="REPEATABLE READ")


class Base(DeclarativeBase):
    metadata = MetaData(schema="sqlalchemy")


class Ward(Base):
    __tablename__ = "wards"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    beds: Mapped[list["Bed"]] = relationship(back_populates="ward", cascade="all, delete-orphan")


class Bed(Base):
    __tablename__ = "beds"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ward_id: Mapped[int] = mapped_column(ForeignKey(Ward.id), index=True)
    price: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    since: Mapped[datetime.date | None]
    about: Mapped[dict] = mapped_column(postgresql.JSONB, default=dict)
    ward: Mapped[Ward] = relationship(back_populates="beds")


LEAP = datetime.date(2024, 2, 29)


def reflection():
    about = inspect(engine)
    assert {"clinic", "billing", "sqlalchemy"} <= set(about.get_schema_names())
    assert {"patients", "visits", "clinicians"} <= set(about.get_table_names("clinic"))
    assert about.get_view_names("clinic") == ["visits_per_department"]
    assert "GROUP BY" in about.get_view_definition("visits_per_department", "clinic")
    assert [column["name"] for column in about.get_columns("patients", "clinic")][:4] == ["id", "mrn", "name", "ssn"]
    assert about.get_pk_constraint("patients", "clinic")["constrained_columns"] == ["id"]
    assert about.get_foreign_keys("invoices", "billing")[0]["referred_table"] == "patients"
    assert len(about.get_unique_constraints("patients", "clinic")) == 2
    assert about.get_indexes("patients", "clinic") and not about.get_check_constraints("patients", "clinic")
    assert about.get_table_comment("patients", "clinic") == {"text": None}
    assert about.get_sequence_names("clinic") == [] and about.get_enums("clinic") == []
    assert about.has_table("visits", "clinic") and not about.has_table("nowhere", "clinic")
    whole = MetaData(schema="clinic")
    whole.reflect(engine, views=True)
    assert {"clinic.patients", "clinic.visits", "clinic.visits_per_department"} <= set(whole.tables)
    assert whole.tables["clinic.visits"].c.patient_id.references(whole.tables["clinic.patients"].c.id)
    return whole


def masked(whole):
    patients = Table("patients", MetaData(), schema="clinic", autoload_with=engine)
    visits = whole.tables["clinic.visits"]
    with engine.connect() as connection:
        print(connection.execute(select(patients).where(patients.c.id <= 20)).all())
        busy = select(visits.c.department, func.count()).group_by(visits.c.department)
        assert sum(number for _, number in connection.execute(busy)) == 6000
        both = select(patients.c.name, visits.c.notes).join(visits, visits.c.patient_id == patients.c.id)
        print(connection.execute(both.limit(20)).all())
        # A cursor of the server's.
        many = connection.execution_options(stream_results=True, max_row_buffer=400).execute(select(patients))
        print([row.ssn for part in many.partitions(400) for row in part])
    mapped = automap_base(metadata=whole)
    mapped.prepare()
    configure_mappers()
    Patient, Visit = mapped.classes.patients, mapped.classes.visits
    with Session(engine) as session:
        for patient in session.scalars(select(Patient).options(selectinload(Patient.visits_collection)).where(Patient.id < 9)):
            print(patient.id, patient.name, patient.ssn, [visit.notes for visit in patient.visits_collection])
        for visit in session.scalars(select(Visit).options(joinedload(Visit.patients)).order_by(Visit.id).limit(20)):
            print(visit.id, visit.notes, visit.patients.name, visit.patients.birth_date)
        assert session.scalar(select(func.count()).where(Patient.ssn.like("9%"))) == 0, "a filter sees the mask"


def rows():
    wards, beds = Ward.__table__, Bed.__table__
    with engine.begin() as connection:
        made = connection.execute(insert(wards).returning(wards.c.id), [{"name": f"ward {n}"} for n in range(30)])
        ids = made.scalars().all()
        connection.execute(insert(beds), [{"ward_id": id, "price": id, "since": LEAP, "about": {"n": id}} for id in ids])
        again = postgresql.insert(wards).values(name="ward 3").on_conflict_do_nothing(index_elements=["name"])
        assert connection.execute(again.returning(wards.c.id)).all() == []
        changed = connection.execute(update(beds).where(beds.c.about["n"].as_integer() > ids[-3]).values(price=beds.c.price + 1))
        assert changed.rowcount == 2
        top = select(wards.c.name, func.rank().over(order_by=beds.c.price.desc()).label("place")).join(beds).subquery()
        assert connection.execute(select(top).where(top.c.place == 1)).one().name == "ward 29"
        some = select(wards.c.id).where(wards.c.name.in_(["ward 1", "ward 2"])).cte("some")
        assert connection.scalar(select(func.sum(beds.c.price)).where(beds.c.ward_id.in_(select(some)))) == ids[1] + ids[2]
        try:
            with connection.begin_nested():
                connection.execute(insert(wards), {"name": "ward 3"})
            raise AssertionError("two wards of one name")
        except IntegrityError as error:
            assert error.orig.sqlstate == "23505"
        assert connection.execute(beds.delete()).rowcount == 30
        assert connection.execute(wards.delete()).rowcount == 30


def objects():
    with Session(engine) as session:
        beds = [Bed(price=decimal.Decimal("12.50"), since=LEAP, about={"a": [1, None, "x"]}) for _ in range(2)]
        session.add(Ward(name="it's east \u201c\\\u201d", beds=beds))
        session.commit()
        ward = session.scalars(select(Ward).options(joinedload(Ward.beds))).unique().one()
        assert (ward.beds[1].price, ward.beds[1].about) == (decimal.Decimal("12.50"), {"a": [1, None, "x"]})
        beds[0].since = None
        session.flush()
        session.rollback()
        assert session.get(Bed, beds[0].id).since == LEAP
        ward.beds.pop()
        ward.name = "west"
        session.commit()
        assert session.scalar(select(func.count()).select_from(Bed)) == 1
        session.execute(update(Bed).where(Bed.price > 1).values(price=1))
        session.add(Ward(name="west"))
        try:
            session.commit()
            raise AssertionError("two wards of one name")
        except IntegrityError as error:
            assert error.orig.sqlstate == "23505"
            session.rollback()
        for ward in session.scalars(select(Ward)):
            session.delete(ward)
        session.commit()
        assert session.scalars(select(Bed)).all() == []


def refusals():
    global refused
    with engine.connect() as connection:
        for sql in ("DROP TABLE clinic.visits", "UPDATE clinic.patients SET name = 'x' WHERE id = 1"):
            try:
                connection.exec_driver_sql(sql)
                raise AssertionError(sql)
            except DBAPIError as error:
                assert error.orig.sqlstate == "42501"
                refused += 1
            connection.rollback()


masked(reflection())
Base.metadata.create_all(engine)
rows()
objects()
Base.metadata.drop_all(engine)
refusals()
engine.dispose()
print("sent", traced.sent(), "refused", refused)
