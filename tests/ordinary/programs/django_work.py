"""What Django asks and does, a function a case. Prints what came back. Settings come from libpq's variables."""

import datetime
import decimal
import io
import os
import sys

import django
from django.conf import settings

PATHS = {"default": "work", "clinic": "clinic", "billing": "billing", "app": "app"}
DATABASES = {
    alias: {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "OPTIONS": {"options": f"-csearch_path={path}"}}
    for alias, path in PATHS.items()
}
INSTALLED = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"] if "migrate" in sys.argv[1] else []
settings.configure(DATABASES=DATABASES, INSTALLED_APPS=["__main__", *INSTALLED], USE_TZ=True, TIME_ZONE="UTC", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections, models, transaction  # noqa: E402
from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, Sum, Value, Window  # noqa: E402
from django.db.models.functions import Coalesce, Concat, ExtractYear, Lower, RowNumber, TruncMonth  # noqa: E402


class Patient(models.Model):
    id = models.IntegerField(primary_key=True)
    ward, mrn, name, ssn, zip, email, phone = (models.TextField(null=True) for _ in range(7))
    birth_date, registered_on = models.DateField(null=True), models.DateField()
    active = models.BooleanField()

    class Meta:
        app_label, db_table, managed = "__main__", "patients", False


class Visit(models.Model):
    id = models.IntegerField(primary_key=True)
    patient = models.ForeignKey(Patient, models.DO_NOTHING)
    visited_on = models.DateField()
    minutes = models.IntegerField()
    department, notes = (models.TextField(null=True) for _ in range(2))

    class Meta:
        app_label, db_table, managed = "__main__", "visits", False


class Payer(models.Model):
    id = models.AutoField(primary_key=True)
    name = models.TextField()

    class Meta:
        app_label, db_table, managed = "__main__", "payers", False


class Account(models.Model):
    id = models.AutoField(primary_key=True)
    username = models.CharField(max_length=150, unique=True)
    email = models.CharField(max_length=254)
    is_active = models.BooleanField(default=True)
    settings = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=0)

    class Meta:
        app_label, db_table, managed = "__main__", "accounts", False


class Post(models.Model):
    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="posts")
    title = models.CharField(max_length=200)
    body = models.TextField()
    posted_at = models.DateTimeField()

    class Meta:
        app_label, db_table, managed = "__main__", "posts", False


def show(rows):
    for row in rows:
        print(row)


def inspectdb():
    for alias in ("clinic", "billing", "app"):
        said = io.StringIO()
        call_command("inspectdb", database=alias, include_views=True, include_partitions=True, stdout=said)
        print(said.getvalue())


def introspection():
    with connections["billing"].cursor() as cursor:
        about = connections["billing"].introspection
        show(about.get_table_list(cursor))
        show(about.get_table_description(cursor, "invoices"))
        show(sorted(about.get_relations(cursor, "invoices").items()))
        show(sorted(about.get_constraints(cursor, "invoices").items()))
        show(about.get_sequences(cursor, "payers"))
        print(about.get_primary_key_columns(cursor, "payers"))


def dbshell_check():
    print(connections["clinic"].pg_version >= 150000, connections["clinic"].is_usable())
    call_command("check", databases=["clinic"])


def queries():
    patients = Patient.objects.using("clinic")
    show(patients.filter(pk__in=[3, 31, 62]).order_by("pk").values())
    show(patients.filter(active=True, registered_on__year=2017).values_list("pk", "name").order_by("pk")[:5])
    show(patients.values("ward").annotate(n=Count("pk"), visits=Count("visit")).order_by("ward"))
    print(patients.filter(Q(ward="north") | ~Q(active=True)).count(), patients.filter(ssn=None).exists())
    print(patients.aggregate(Max("registered_on"), year=Max(ExtractYear("birth_date"))))
    print(patients.filter(name__istartswith="ada").count(), patients.filter(zip__startswith="0").count())
    print(patients.in_bulk([5, 6])[5].email)


def related():
    visits = Visit.objects.using("clinic")
    show((one.pk, one.notes, one.patient.name) for one in visits.select_related("patient").order_by("pk")[:5])
    some = Patient.objects.using("clinic").filter(pk__lt=4).prefetch_related(Prefetch("visit_set", visits.order_by("pk"))).order_by("pk")
    show((one.pk, [visit.pk for visit in one.visit_set.all()]) for one in some)
    late = visits.filter(patient=OuterRef("pk"), visited_on__gte=datetime.date(2025, 6, 1))
    print(Patient.objects.using("clinic").filter(Exists(late)).count())
    newest = visits.filter(patient=OuterRef("pk")).order_by("-visited_on", "pk").values("department")[:1]
    show(Patient.objects.using("clinic").annotate(last=Subquery(newest)).values_list("pk", "last").order_by("pk")[:5])


def aggregates():
    visits = Visit.objects.using("clinic")
    show(visits.annotate(month=TruncMonth("visited_on")).values("month").annotate(n=Count("pk"), m=Sum("minutes")).order_by("month")[:6])
    show(visits.annotate(place=Window(RowNumber(), partition_by="department", order_by=["-minutes", "pk"])).values_list("pk", "place").order_by("pk")[:6])
    print(visits.aggregate(Avg("minutes"), people=Count("patient", distinct=True)))
    show(visits.values_list("department", flat=True).distinct().order_by("department"))
    show(visits.dates("visited_on", "year"))


def admin_list():
    """The list and the search of an admin site."""
    accounts = Account.objects.using("app").order_by("-created_at", "-id")
    print(accounts.count())
    show(accounts.values("id", "username", "settings")[:3])
    print(accounts.filter(Q(username__icontains="user1") | Q(email__icontains="user1")).count())
    show(accounts.annotate(n=Count("posts"), label=Concat(Coalesce("email", Value("?")), Value(" / "), Lower("username"))).values_list("n", "label")[:3])
    print(accounts.filter(settings__theme="dark").count(), accounts.filter(settings__pages__contains=[4]).count(), accounts.filter(settings__pages__0__gt=20).count())


def group_by_model():
    """A count beside whole objects: grouped by the table's columns."""
    show((one.pk, one.name, one.n) for one in Patient.objects.using("clinic").annotate(n=Count("visit")).order_by("-n", "pk")[:5])
    show((one.pk, one.username, one.n) for one in Account.objects.using("app").annotate(n=Count("posts")).order_by("-n", "pk")[:5])


def writes():
    using = "app"
    moment = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    with transaction.atomic(using):
        made = Account.objects.using(using).bulk_create([Account(id=500 + n, username=f"new{n}", created_at=moment) for n in range(3)])
        show(one.pk for one in made)
        Account.objects.using(using).filter(pk=500).update(email=Concat(F("username"), Value("@example.com")))
        one = Account.objects.using(using).select_for_update().get(pk=500)
        one.settings = {"a": [1, None]}
        one.save(update_fields=["settings"])
        one.refresh_from_db()
        print(one.email, one.settings, one.version)
        print(Account.objects.using(using).get_or_create(username="new1", defaults={"created_at": moment})[1])
        Account.objects.using(using).bulk_update([Account(pk=501, email="x"), Account(pk=502, email="y")], ["email"])
        try:
            with transaction.atomic(using):
                Account.objects.using(using).create(id=503, username="new1", created_at=moment)
        except django.db.IntegrityError as error:
            print(error.__cause__.sqlstate)
        print(Account.objects.using(using).filter(pk__gte=500).delete())
        transaction.set_rollback(True, using)


def iterator():
    print(sum(1 for _ in Patient.objects.using("clinic").iterator(chunk_size=77)))
    with transaction.atomic("clinic"):
        show(one.ssn for one in Patient.objects.using("clinic").order_by("pk")[:3].iterator())


def raw():
    show((one.pk, one.name) for one in Patient.objects.using("clinic").raw("SELECT id, name FROM patients WHERE ward = %s ORDER BY id LIMIT 2", ["west"]))
    with connections["clinic"].cursor() as cursor:
        cursor.execute("SELECT department, count(*) FROM visits GROUP BY 1 HAVING count(*) > %s ORDER BY 1", [10])
        show(cursor.fetchall())
    print(Payer.objects.using("billing").filter(name__contains="a").explain(costs=False) != "")


def dumpdata():
    said = io.StringIO()
    call_command("dumpdata", "__main__.Payer", database="billing", stdout=said)
    print(said.getvalue())


def migrate():
    def made(cursor):
        return sorted(one.name for one in connection.introspection.get_table_list(cursor) if one.name.startswith(("auth_", "django_")))

    try:
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            show(made(cursor))
    finally:
        # Those that refer to others first; what is left of a migration that failed too.
        connection.rollback() if connection.in_atomic_block else None
        for _ in range(4):
            with connection.cursor() as cursor:
                left = made(cursor)
            for table in left:
                try:
                    with connection.cursor() as cursor:
                        cursor.execute(f"DROP TABLE work.{table}")
                except django.db.Error:
                    pass


globals()[sys.argv[1]]()
connections.close_all()
