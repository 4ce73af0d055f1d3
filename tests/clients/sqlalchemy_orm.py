"""SQLAlchemy over psycopg: reflection, tables made and dropped, objects, transactions. Settings come from libpq's variables."""

import datetime
import decimal

import sqlalchemy
from sqlalchemy import ForeignKey, MetaData, Numeric, String, Table, event, func, inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

sent = refused = 0
engine = sqlalchemy.create_engine("postgresql+psycopg://", isolation_level="REPEATABLE READ")


@event.listens_for(engine, "before_cursor_execute")
def count(*_):
    global sent
    sent += 1


class Base(DeclarativeBase):
    metadata = MetaData(schema="sqlalchemy")


class Ward(Base):
    __tablename__ = "wards"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    beds: Mapped[list["Bed"]] = relationship(back_populates="ward")


class Bed(Base):
    __tablename__ = "beds"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ward_id: Mapped[int] = mapped_column(ForeignKey(Ward.id))
    price: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    since: Mapped[datetime.date | None]
    ward: Mapped[Ward] = relationship(back_populates="beds")


def reflection():
    about = inspect(engine)
    assert {"clinic", "billing"} <= set(about.get_schema_names())
    assert "patients" in about.get_table_names("clinic")
    assert [column["name"] for column in about.get_columns("patients", "clinic")][:4] == ["id", "mrn", "name", "ssn"]
    assert about.get_pk_constraint("patients", "clinic")["constrained_columns"] == ["id"]
    assert about.get_foreign_keys("invoices", "billing")[0]["referred_table"] == "patients"
    assert len(about.get_unique_constraints("patients", "clinic")) == 2
    assert about.get_indexes("patients", "clinic") and about.get_view_names("clinic")
    about.get_check_constraints("patients", "clinic"), about.get_table_comment("patients", "clinic")


def masked():
    patients = Table("patients", MetaData(), schema="clinic", autoload_with=engine)
    visits = Table("visits", MetaData(), schema="clinic", autoload_with=engine)
    with engine.connect() as connection:
        print(connection.execute(select(patients).where(patients.c.id <= 20)).all())
        busy = select(visits.c.department, func.count()).group_by(visits.c.department)
        assert sum(number for _, number in connection.execute(busy)) == 6000
        print(connection.execute(select(patients.c.name, visits.c.notes).join(visits, visits.c.patient_id == patients.c.id).limit(20)).all())


def objects():
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        beds = [Bed(id=number, price=decimal.Decimal("12.50"), since=datetime.date(2024, 2, 29)) for number in (1, 2)]
        session.add(Ward(id=1, name="it's east", beds=beds))
        session.commit()
        assert session.scalars(select(Ward)).one().beds[1].price == decimal.Decimal("12.50")
        beds[0].since = None
        session.flush()
        session.rollback()
        assert session.get(Bed, 1).since == datetime.date(2024, 2, 29)
        session.add(Ward(id=2, name="it's east"))
        try:
            session.commit()
            raise AssertionError("two wards of one name")
        except IntegrityError as error:
            assert error.orig.sqlstate == "23505"
            session.rollback()
        for thing in [*session.scalars(select(Bed)), *session.scalars(select(Ward))]:
            session.delete(thing)
        session.commit()
    Base.metadata.drop_all(engine)


def refusals():
    global refused
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql("DROP TABLE clinic.visits")
        except DBAPIError as error:
            assert error.orig.sqlstate == "42501"
            refused += 1


reflection()
masked()
objects()
refusals()
engine.dispose()
print("sent", sent, "refused", refused)
