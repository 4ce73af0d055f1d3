"""Django over psycopg 3: objects, transactions, aggregates, cursors, introspection. Settings come from libpq's variables."""

import datetime
import decimal
import io
import os

import traced

import django
from django.conf import settings

SAMPLES = {"ENGINE": "django.db.backends.postgresql", "NAME": "clinic", "OPTIONS": {"options": "-csearch_path=django"}}
CLINIC = {**SAMPLES, "OPTIONS": {"options": "-csearch_path=clinic", "server_side_binding": True}}
# Not the server's zone: a connection is told of it first.
settings.configure(
    DATABASES={"default": SAMPLES, "clinic": CLINIC}, INSTALLED_APPS=["__main__"], USE_TZ=True, TIME_ZONE="America/Chicago"
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections, models, transaction  # noqa: E402
from django.db.models import Avg, Count, F, Max, OuterRef, Q, Subquery, Sum, Value, Window  # noqa: E402
from django.db.models.functions import Coalesce, Concat, ExtractYear, Lower, Rank, TruncMonth  # noqa: E402
from django.db.utils import DataError, IntegrityError, ProgrammingError  # noqa: E402

refused = 0


class Ward(models.Model):
    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label, db_table, managed = "__main__", "wards", False


class Bed(models.Model):
    ward = models.ForeignKey(Ward, models.CASCADE, related_name="beds")
    id = models.BigAutoField(primary_key=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    since = models.DateTimeField(null=True)
    about = models.JSONField(default=dict)

    class Meta:
        app_label, db_table, managed = "__main__", "beds", False


class Patient(models.Model):
    id = models.IntegerField(primary_key=True)
    mrn, name, ssn, zip, email, phone = (models.TextField(null=True) for _ in range(6))
    birth_date, registered_on = models.DateField(), models.DateField()

    class Meta:
        app_label, db_table, managed = "__main__", "patients", False


class Visit(models.Model):
    id = models.BigIntegerField(primary_key=True)
    patient = models.ForeignKey(Patient, models.DO_NOTHING)
    visited_on = models.DateField()
    department, reason, notes = (models.TextField(null=True) for _ in range(3))

    class Meta:
        app_label, db_table, managed = "__main__", "visits", False


NOON = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)


def tables():
    with connection.schema_editor() as editor:
        for model in (Ward, Bed):
            editor.create_model(model)
        editor.execute("CREATE INDEX beds_ward ON beds (ward_id)")


def objects():
    east = Ward.objects.create(name="it's east")
    west = Ward.objects.create(name="west \u201c\\\u201d")
    made = [Bed(ward=east, price=decimal.Decimal(n) / 4, since=NOON, about={"n": n, "tags": ["x", None]}) for n in range(20)]
    Bed.objects.bulk_create(made, batch_size=8)
    assert all(bed.pk for bed in made)
    bed = Bed.objects.select_related("ward").get(pk=made[5].pk)
    assert (bed.price, bed.ward.name, bed.since, bed.about["n"]) == (decimal.Decimal("1.25"), "it's east", NOON, 5)
    bed.ward, bed.since = west, None
    bed.save()
    bed.refresh_from_db()
    assert bed.ward_id == west.pk and bed.since is None
    assert Bed.objects.filter(about__n__gte=18, ward__name__icontains="EAST").count() == 2
    assert Bed.objects.filter(about__tags__contains=["x"]).exclude(since=None).count() == 19
    assert Bed.objects.filter(price__lt=1).update(price=F("price") + 10) == 4
    assert Ward.objects.get_or_create(name="it's east") == (east, False)
    assert Ward.objects.update_or_create(name="north", defaults={"name": "south"})[1]
    found = {ward.name: len(ward.beds.all()) for ward in Ward.objects.prefetch_related("beds")}
    assert found == {"it's east": 19, west.name: 1, "south": 0}, found
    upper = Bed.objects.bulk_create([Bed(id=made[0].pk, ward=west, price=1)], update_conflicts=True, unique_fields=["id"], update_fields=["price"])
    assert Bed.objects.get(pk=upper[0].pk).price == 1


def questions():
    newest = Bed.objects.filter(ward=OuterRef("pk")).order_by("-price", "id").values("price")[:1]
    wards = Ward.objects.annotate(number=Count("beds"), dearest=Subquery(newest)).filter(number__gt=1).order_by(Lower("name"))
    assert [(ward.number, ward.dearest) for ward in wards] == [(19, decimal.Decimal("10.75"))]
    totals = Bed.objects.aggregate(Sum("price"), Avg("price"), Max("since"), east=Count("id", filter=Q(ward__name__startswith="it's")))
    assert (totals["east"], totals["since__max"]) == (19, NOON)
    by_month = Bed.objects.annotate(month=TruncMonth("since"), year=ExtractYear("since")).values("month", "year").annotate(n=Count("id"))
    assert sorted(row["n"] for row in by_month) == [1, 19]
    ranked = Bed.objects.annotate(place=Window(Rank(), partition_by="ward", order_by="price")).values_list("place", flat=True)
    assert max(ranked) == 19
    named = Ward.objects.annotate(label=Concat(Coalesce("name", Value("?")), Value("!"))).values_list("label", flat=True)
    assert "south!" in set(named)
    union = Ward.objects.filter(name="south").union(Ward.objects.filter(name="it's east"))
    assert union.count() == 2 and Bed.objects.filter(ward__in=[1, 2], pk__in=range(1, 5)).exists()
    assert Ward.objects.raw("SELECT id, name FROM wards WHERE name = %s", ["south"])[0].name == "south"


def transactions():
    with transaction.atomic():
        Ward.objects.create(name="kept")
        try:
            with transaction.atomic():
                Ward.objects.create(name="kept")
            raise AssertionError("two wards of one name")
        except IntegrityError as error:
            assert error.__cause__.sqlstate == "23505"
        locked = Ward.objects.select_for_update().get(name="kept")
        locked.name = "kept twice"
        locked.save(update_fields=["name"])
    try:
        with transaction.atomic():
            Ward.objects.all().update(name=Concat(F("name"), Value("?")))
            raise KeyError
    except KeyError:
        pass
    assert Ward.objects.filter(name__endswith="?").count() == 0
    # Checked at COMMIT: no such ward.
    try:
        with transaction.atomic():
            Bed.objects.create(ward_id=999, price=1)
        raise AssertionError("a bed of no ward")
    except IntegrityError as error:
        assert error.__cause__.sqlstate == "23503"


def cursors():
    for chunk in (7, 2000):
        assert sum(1 for _ in Bed.objects.order_by("id").iterator(chunk_size=chunk)) == 20
    with transaction.atomic():
        assert sum(1 for _ in Ward.objects.iterator(chunk_size=2)) == 4


def masked(using):
    patients = Patient.objects.using(using)
    for patient in patients.filter(pk__lte=20).order_by("pk"):
        print(patient.pk, patient.name, patient.ssn, patient.zip, patient.birth_date, patient.email, patient.phone)
    for visit in Visit.objects.using(using).select_related("patient").order_by("pk")[:20]:
        print(visit.pk, visit.visited_on, visit.patient.name, visit.patient.mrn, visit.notes)
    for patient in patients.order_by("pk").iterator(chunk_size=500):
        print(patient.name, patient.ssn)
    assert patients.filter(visit__department="cardiology").distinct().exists()
    busy = Visit.objects.using(using).values("department").annotate(n=Count("pk"), people=Count("patient", distinct=True))
    assert sum(row["n"] for row in busy) == 6000
    assert not patients.filter(name__istartswith="a").exists(), "a filter sees the mask"


def introspection():
    said = io.StringIO()
    call_command("inspectdb", database="clinic", include_views=True, include_partitions=True, stdout=said)
    said = said.getvalue()
    assert "Unable to inspect" not in said, said
    assert "patient = models.ForeignKey(Patients" in said and "VisitsPerDepartment" in said and "mrn = models.TextField(unique=True" in said, said
    with connection.cursor() as cursor:
        about = connection.introspection
        assert {"samples", "wards", "beds"} <= set(about.table_names(cursor))
        assert [one["column"] for one in about.get_sequences(cursor, "beds")] == ["id"]
        assert about.get_relations(cursor, "beds") == {"ward_id": ("id", "wards")}
        keys = about.get_constraints(cursor, "beds")
        assert keys["beds_ward"]["index"] and keys["beds_pkey"]["primary_key"]


def refusals():
    global refused
    for model, change in ((Patient, {"name": "x"}), (Visit, {"reason": "x"})):
        try:
            model.objects.using("clinic").filter(pk=1).update(**change)
            raise AssertionError("changed")
        except ProgrammingError as error:
            assert error.__cause__.sqlstate == "42501", error
            refused += 1
    try:
        Ward.objects.extra(where=["1 / (id - id) = 1"]).exists()
        raise AssertionError("divided")
    except DataError as error:
        assert error.__cause__.sqlstate == "22012"


def removal():
    assert Ward.objects.get(name="it's east").delete() == (20, {"__main__.Bed": 19, "__main__.Ward": 1})
    assert Bed.objects.all().delete()[0] == 1
    Ward.objects.all().delete()


tables()
objects()
questions()
transactions()
cursors()
introspection()
masked("clinic")
refusals()
removal()
connections.close_all()
print("sent", traced.sent(), "refused", refused)
