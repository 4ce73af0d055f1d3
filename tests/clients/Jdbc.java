import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.Properties;
import java.util.UUID;

/** pgjdbc: parameters, types in text and binary, server-side prepared statements, metadata, fetch sizes, errors. */
public final class Jdbc {
    private static Connection connection;
    private static int sent;
    private static int refused;

    public static void main(String[] arguments) throws SQLException {
        connection = connect();
        results();
        types();
        transactions();
        errors();
        prepared();
        fetches();
        metadata();
        connection.close();
        System.out.println("sent " + sent + " refused " + refused);
    }

    private static Connection connect() throws SQLException {
        var environment = System.getenv();
        var settings = new Properties();
        settings.setProperty("user", environment.get("PGUSER"));
        settings.setProperty("password", environment.get("PGPASSWORD"));
        settings.setProperty("sslmode", "verify-full");
        settings.setProperty("sslrootcert", environment.get("PGSSLROOTCERT"));
        settings.setProperty("ApplicationName", environment.get("PGAPPNAME"));
        // Server-side from the second execution, so that both ways are seen.
        settings.setProperty("prepareThreshold", "2");
        var url = "jdbc:postgresql://" + environment.get("PGHOST") + ":" + environment.get("PGPORT") + "/clinic";
        return DriverManager.getConnection(url, settings);
    }

    private static void results() throws SQLException {
        var sql = "SELECT * FROM clinic.patients WHERE id <= ? ORDER BY id";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int time = 0; time < 4; time++) {
                statement.setInt(1, 20);
                print(run(statement), 20);
            }
        }
        try (Statement statement = connection.createStatement()) {
            sent++;
            ResultSet counted = statement.executeQuery("SELECT count(*) FROM clinic.visits");
            check(counted.next() && counted.getLong(1) == 6000, "visits");
        }
    }

    private static void types() throws SQLException {
        var columns = "id, flag, small, big, amount, ratio, label, code, day, at, ident, doc, raw, tags, numbers, nothing";
        var insert = "INSERT INTO jdbc.samples (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?, ?)";
        var raw = new byte[256];
        for (int index = 0; index < raw.length; index++) {
            raw[index] = (byte) index;
        }
        var at = Timestamp.from(Instant.parse("2024-02-29T12:30:00.123456Z"));
        var ident = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
        var tags = new String[] {"one", null, "tw\"o", ""};
        var numbers = new Integer[] {1, -2, null};
        try (PreparedStatement made = connection.prepareStatement(insert);
                PreparedStatement read = connection.prepareStatement("SELECT " + columns + " FROM jdbc.samples WHERE id = ?")) {
            for (int id = 1; id <= 4; id++) {
                made.setInt(1, id);
                made.setBoolean(2, true);
                made.setShort(3, (short) -7);
                made.setLong(4, 1L << 62);
                made.setBigDecimal(5, new BigDecimal("12345.678901"));
                made.setDouble(6, 0.1);
                made.setString(7, "it's \u00e9 \\ \u201cquoted\u201d");
                made.setString(8, "abc");
                made.setObject(9, LocalDate.of(2024, 2, 29));
                made.setTimestamp(10, at);
                made.setObject(11, ident);
                made.setString(12, "{\"a\": [1, null, \"x\"]}");
                made.setBytes(13, raw);
                made.setArray(14, connection.createArrayOf("text", tags));
                made.setArray(15, connection.createArrayOf("integer", numbers));
                made.setString(16, null);
                sent++;
                check(made.executeUpdate() == 1, "inserted");
                read.setInt(1, id);
                ResultSet row = run(read);
                check(row.next(), "a row");
                check(row.getBoolean(2) && row.getShort(3) == -7 && row.getLong(4) == 1L << 62, "numbers");
                check(row.getBigDecimal(5).equals(new BigDecimal("12345.678901")) && row.getDouble(6) == 0.1, "fractions");
                check(row.getString(7).equals("it's \u00e9 \\ \u201cquoted\u201d") && row.getString(8).equals("abc"), "texts");
                check(row.getObject(9, LocalDate.class).equals(LocalDate.of(2024, 2, 29)), "day");
                check(row.getTimestamp(10).equals(at) && row.getObject(11).equals(ident), "time, uuid");
                check(row.getString(12).equals("{\"a\": [1, null, \"x\"]}"), "json");
                check(Arrays.equals(row.getBytes(13), raw), "bytes");
                check(Arrays.equals((Object[]) row.getArray(14).getArray(), tags), "texts");
                check(Arrays.equals((Object[]) row.getArray(15).getArray(), numbers), "integers");
                check(row.getString(16) == null && row.wasNull(), "null");
            }
        }
        update("DELETE FROM jdbc.samples", 4);
    }

    private static void transactions() throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        // SET SESSION CHARACTERISTICS, and the BEGIN before the next statement.
        sent += 2;
        update("INSERT INTO jdbc.samples (id) VALUES (7)", 1);
        var before = connection.setSavepoint();
        update("UPDATE jdbc.samples SET label = 'inner'", 1);
        connection.rollback(before);
        connection.rollback();
        // SAVEPOINT, ROLLBACK TO, ROLLBACK.
        sent += 3;
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        sent += 1;
        connection.setAutoCommit(true);
        update("DELETE FROM jdbc.samples", 0);
    }

    private static void errors() throws SQLException {
        check("22012".equals(state("SELECT 1 / (SELECT count(*) FROM jdbc.samples)")), "division");
        refused += 2;
        check("42501".equals(state("DROP TABLE clinic.visits")), "drop");
        check("42P01".equals(state("SELECT * FROM clinic.nowhere")), "unknown");
        update("INSERT INTO jdbc.samples (id) VALUES (8)", 1);
        check("23505".equals(state("INSERT INTO jdbc.samples (id) VALUES (8)")), "twice");
        update("DELETE FROM jdbc.samples", 1);
    }

    private static void prepared() throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, ?::int FROM clinic.patients WHERE id = ?")) {
            for (int number = 1; number <= 10; number++) {
                statement.setInt(1, number);
                statement.setInt(2, number);
                ResultSet row = run(statement);
                check(row.next() && row.getInt(1) == number && row.getInt(2) == number, "prepared");
            }
        }
        try (PreparedStatement batch = connection.prepareStatement("INSERT INTO jdbc.samples (id) VALUES (?)")) {
            for (int number = 20; number < 30; number++) {
                batch.setInt(1, number);
                batch.addBatch();
                sent++;
            }
            check(batch.executeBatch().length == 10, "batch");
        }
    }

    /** A portal that is asked for ten rows at a time: three executions, and BEGIN and COMMIT around them. */
    private static void fetches() throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM clinic.patients ORDER BY id LIMIT 25")) {
            statement.setFetchSize(10);
            print(statement.executeQuery(), 25);
        }
        connection.commit();
        connection.setAutoCommit(true);
        sent += 5;
    }

    private static void metadata() throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        System.out.println(about.getDatabaseProductVersion());
        count("tables", about.getTables(null, "clinic", "%", new String[] {"TABLE", "PARTITIONED TABLE"}), 8);
        count("columns", about.getColumns(null, "clinic", "patients", "%"), 9);
        count("primary key", about.getPrimaryKeys(null, "clinic", "patients"), 1);
        count("imported keys", about.getImportedKeys(null, "billing", "invoices"), 1);
        count("exported keys", about.getExportedKeys(null, "clinic", "patients"), 1);
        count("indexes", about.getIndexInfo(null, "clinic", "patients", false, true), 3);
        count("schemas", about.getSchemas(), 4);
        count("types", about.getTypeInfo(), 20);
        count("functions", about.getFunctions(null, "pg_catalog", "abs"), 1);
        count("privileges", about.getTablePrivileges(null, "clinic", "patients"), 1);
        // How many columns a key can have, once, and for the arrays of functions' types.
        sent += 2;
    }

    private static void count(String what, ResultSet rows, int least) throws SQLException {
        sent++;
        int found = 0;
        while (rows.next()) {
            found++;
        }
        System.out.println(what + " " + found);
        check(found >= least, what);
    }

    private static ResultSet run(PreparedStatement statement) throws SQLException {
        sent++;
        return statement.executeQuery();
    }

    private static void update(String sql, int rows) throws SQLException {
        sent++;
        try (Statement statement = connection.createStatement()) {
            check(statement.executeUpdate(sql) == rows, sql);
        }
    }

    private static String state(String sql) {
        sent++;
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
            return null;
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    private static void print(ResultSet rows, int expected) throws SQLException {
        int found = 0;
        while (rows.next()) {
            var line = new StringBuilder();
            for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                line.append(rows.getString(column)).append('|');
            }
            System.out.println(line);
            found++;
        }
        check(found == expected, "rows");
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
