"""Clients that ask without pause until the relay dies under them, or ends one of them.

    python3 workload.py MARKER TABLE

Standard input has a line a round, `ROUND CONNECTION-STRING`. Each client of a round asks in a way of its own until the
first connection breaks. A round says when `all were answered` once, and when it is `over`, with how many answers each
got. Every statement carries a marker of its own, `MARKERround_client_number`, as an alias or a name: evidence keeps
those and no literals. A statement that is prepared once and run often has one marker.
"""
import sys
import threading

import psycopg

MARKER, TABLE = sys.argv[1:]
# SQLSTATE classes that end a session: lost connections, shutdown, evidence that cannot be written.
ENDED = ("08", "57", "58")


class Client:
    def __init__(self, number, connection_string, ask, all_answered, over):
        self.prefix = f"{MARKER}{number}_{ask.__name__}_"
        self.connection_string = connection_string
        self.ask = ask
        self.all_answered = all_answered
        self.over = over
        self.asked = 0
        self.answers = 0

    def mark(self):
        self.asked += 1
        return f"{self.prefix}{self.asked}"

    def run(self):
        try:
            connection = psycopg.connect(self.connection_string, autocommit=True)
        except psycopg.OperationalError as error:
            print("not connected:", str(error).replace("\n", " "), flush=True)
            self.over.set()
            self.all_answered.abort()
            return
        try:
            while not self.over.is_set():
                first = self.answers == 0
                self.answers += self.ask(self, connection)
                if first:
                    self.all_answered.wait()
        except threading.BrokenBarrierError:
            pass
        except psycopg.Error as error:
            self.over.set()
            self.all_answered.abort()
            if not connection.broken and (error.sqlstate or "")[:2] not in ENDED:
                print("failed", self.prefix, repr(error), flush=True)
        connection.close()


def texts(client, connection):
    """Several statements in one simple query; every third time the middle one fails, and what follows never runs."""
    middle = "1 / 0" if client.asked // 4 % 3 == 2 else "id"
    sql = (
        f"SELECT id AS {client.mark()} FROM clinic.patients LIMIT 3;"
        f"UPDATE {TABLE} AS {client.mark()} SET n = n + 1 WHERE id = 1;"
        f"SELECT {middle} AS {client.mark()} FROM billing.payers LIMIT 1;"
        f"SELECT name AS {client.mark()} FROM clinic.patients LIMIT 50"
    )
    result = connection.pgconn.exec_(sql.encode())
    if result is None or connection.pgconn.status != psycopg.pq.ConnStatus.OK:
        raise psycopg.OperationalError("gone")
    return 1


def pipelines(client, connection):
    """Twenty statements before the first answer is read; in every fourth pipeline one of them fails."""
    broken = client.asked // 20 % 4 == 3
    try:
        with connection.pipeline():
            for number in range(20):
                divisor = 0 if broken and number == 10 else 1
                sql = f"SELECT %s / %s::int AS {client.mark()} FROM clinic.patients LIMIT 5"
                connection.execute(sql, (number, divisor), prepare=False)
    except psycopg.errors.DivisionByZero:
        pass
    return 20


def prepared(client, connection):
    """One statement, prepared once, executed in pipelines from then on."""
    client.asked = client.asked or 1
    sql = f"SELECT visited_on AS {client.prefix}1, reason FROM clinic.visits WHERE patient_id > %s LIMIT 200"
    with connection.pipeline():
        for number in range(10):
            connection.execute(sql, (number,), prepare=True)
    return 10


def transactions(client, connection):
    """A savepoint and two changes, statement by statement; every other one is rolled back."""
    end = "ROLLBACK" if client.asked // 3 % 2 else "COMMIT"
    connection.execute("BEGIN")
    connection.execute(f"SAVEPOINT {client.mark()}")
    connection.execute(f"UPDATE {TABLE} AS {client.mark()} SET n = n + 1 WHERE id = %s", (2,))
    connection.execute(f"INSERT INTO {TABLE} AS {client.mark()} VALUES (%s, 0)", (4,))
    connection.execute(end)
    return 3


def changes(client, connection):
    """Updates in pipelines, each its own transaction."""
    with connection.pipeline() as pipeline:
        for _ in range(10):
            connection.execute(f"UPDATE {TABLE} AS {client.mark()} SET n = n + 1 WHERE id = %s", (3,))
            pipeline.sync()
    return 10


def long(client, connection):
    """Statements that run for a while."""
    sql = f"SELECT count(*) AS {client.mark()} FROM clinic.visits a JOIN clinic.visits b ON a.department = b.department"
    connection.execute(sql).fetchall()
    return 1


def held(client, connection):
    """A statement that waits for an approval which nobody gives, until it is cancelled."""
    answered = threading.Event()

    def cancel():
        # A cancel request that comes before its statement cancels nothing.
        while not answered.wait(0.1 + client.asked % 5 / 10):
            try:
                connection.cancel()
            except psycopg.Error:
                return

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        connection.execute(f"UPDATE billing.invoices AS {client.mark()} SET amount = 0 WHERE id = %s", (7,))
    except psycopg.errors.QueryCanceled:
        pass
    finally:
        answered.set()
        canceller.join()
    return 1


def play(number, connection_string):
    kinds = (texts, pipelines, prepared, transactions, changes, long, held)
    all_answered = threading.Barrier(len(kinds), lambda: print("all were answered", flush=True))
    over = threading.Event()
    clients = [Client(number, connection_string, kind, all_answered, over) for kind in kinds]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("over", *(f"{client.ask.__name__}={client.answers}" for client in clients), flush=True)


for line in sys.stdin:
    play(*line.rstrip("\n").split(" ", 1))
