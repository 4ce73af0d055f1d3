import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;

/** pgjdbc's metadata and statements, a method a case: prints what came back. */
public final class Metadata {
    public static void main(String[] arguments) throws SQLException {
        var environment = System.getenv();
        var settings = new Properties();
        settings.setProperty("user", environment.get("PGUSER"));
        settings.setProperty("password", environment.get("PGPASSWORD"));
        settings.setProperty("sslmode", "verify-full");
        settings.setProperty("sslrootcert", environment.get("PGSSLROOTCERT"));
        for (int index = 1; index + 1 < arguments.length; index += 2) {
            settings.setProperty(arguments[index], arguments[index + 1]);
        }
        var url = "jdbc:postgresql://" + environment.get("PGHOST") + ":" + environment.get("PGPORT") + "/" + environment.get("PGDATABASE");
        try (var connection = DriverManager.getConnection(url, settings)) {
            var about = connection.getMetaData();
            var database = connection.getCatalog();
            switch (arguments[0]) {
                case "tables" -> {
                    print(about.getTables(null, "clinic", "%", null));
                    print(about.getTables(database, "billing", "%", new String[] {"TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"}));
                    print(about.getTableTypes());
                }
                case "columns" -> {
                    print(about.getColumns(null, "clinic", "%", "%"));
                    print(about.getColumns(null, "billing", "invoices", "%"));
                    print(about.getColumns(null, "reference", "samples", "%"));
                }
                case "keys" -> {
                    print(about.getPrimaryKeys(null, "clinic", "patients"));
                    print(about.getPrimaryKeys(null, "clinic", "visits"));
                    print(about.getImportedKeys(null, "billing", "invoices"));
                    print(about.getExportedKeys(null, "clinic", "patients"));
                    print(about.getCrossReference(null, "billing", "payers", null, "billing", "invoices"));
                }
                case "indexes" -> {
                    print(about.getIndexInfo(null, "clinic", "patients", false, true));
                    print(about.getIndexInfo(null, "billing", "invoices", true, false));
                    print(about.getIndexInfo(null, "app", "posts", false, false));
                }
                case "routines" -> {
                    print(about.getFunctions(null, "billing", "%"));
                    print(about.getFunctionColumns(null, "billing", "gross", "%"));
                    print(about.getProcedures(null, "app", "%"));
                    print(about.getProcedureColumns(null, "billing", "%", "%"));
                }
                case "types" -> {
                    print(about.getTypeInfo());
                    print(about.getUDTs(null, "billing", "%", null));
                }
                case "privileges" -> {
                    print(about.getTablePrivileges(null, "billing", "%"));
                    print(about.getColumnPrivileges(null, "billing", "payers", "%"));
                }
                case "rows" -> {
                    print(about.getBestRowIdentifier(null, "clinic", "patients", java.sql.DatabaseMetaData.bestRowSession, true));
                    print(about.getVersionColumns(null, "clinic", "patients"));
                }
                case "names" -> {
                    print(about.getSchemas());
                    print(about.getSchemas(null, "cli%"));
                    print(about.getCatalogs());
                    print(about.getClientInfoProperties());
                    System.out.println(about.getDatabaseMajorVersion() + " " + about.getSQLKeywords().length());
                    System.out.println(about.getMaxIndexLength() + " " + about.getMaxColumnNameLength() + " " + about.getMaxColumnsInIndex());
                    System.out.println(about.getDefaultTransactionIsolation() + " " + connection.getTransactionIsolation() + " " + connection.getSchema());
                }
                case "select" -> {
                    var statement = connection.prepareStatement("SELECT * FROM clinic.patients WHERE ward = ? AND registered_on > ? ORDER BY id LIMIT ?");
                    for (int time = 0; time < 7; time++) {
                        statement.setString(1, "north");
                        statement.setDate(2, java.sql.Date.valueOf("2016-01-01"));
                        statement.setInt(3, 1 + time);
                        print(statement.executeQuery());
                    }
                }
                case "result" -> {
                    var rows = connection.createStatement().executeQuery("SELECT id, ward, name, ssn, birth_date, email, risk FROM clinic.patients ORDER BY id LIMIT 1");
                    var shape = rows.getMetaData();
                    for (int column = 1; column <= shape.getColumnCount(); column++) {
                        System.out.println(shape.getColumnName(column) + " " + shape.getColumnTypeName(column) + " " + shape.getPrecision(column) + " " + shape.getScale(column) + " " + shape.getColumnDisplaySize(column));
                    }
                    var payers = connection.createStatement().executeQuery("SELECT id AS key, name FROM billing.payers ORDER BY id LIMIT 1");
                    for (int column = 1; column <= 2; column++) {
                        var origin = (org.postgresql.PGResultSetMetaData) payers.getMetaData();
                        System.out.println(origin.getBaseSchemaName(column) + "." + origin.getBaseTableName(column) + "." + origin.getBaseColumnName(column) + " " + payers.getMetaData().isNullable(column));
                    }
                }
                case "fetch" -> {
                    connection.setAutoCommit(false);
                    var statement = connection.prepareStatement("SELECT id, ssn FROM clinic.patients ORDER BY id LIMIT 45");
                    statement.setFetchSize(20);
                    print(statement.executeQuery());
                    connection.commit();
                }
                case "scroll" -> {
                    var statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
                    var rows = statement.executeQuery("SELECT id, name FROM clinic.clinicians ORDER BY id");
                    rows.last();
                    System.out.println(rows.getRow() + " " + rows.getString(2));
                    rows.absolute(3);
                    System.out.println(rows.getString(2));
                }
                case "updatable" -> {
                    connection.setAutoCommit(false);
                    var statement = connection.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE);
                    var rows = statement.executeQuery("SELECT id, name FROM billing.payers ORDER BY id");
                    rows.next();
                    rows.updateString("name", "Changed");
                    rows.updateRow();
                    System.out.println(rows.getString("name"));
                    connection.rollback();
                }
                case "batch" -> {
                    connection.setAutoCommit(false);
                    var statement = connection.prepareStatement("INSERT INTO billing.payers (id, name) VALUES (?, ?)", new String[] {"id"});
                    for (int number = 0; number < 50; number++) {
                        statement.setInt(1, 400 + number);
                        statement.setString(2, "batch " + number);
                        statement.addBatch();
                    }
                    System.out.println(statement.executeBatch().length);
                    var keys = statement.getGeneratedKeys();
                    keys.next();
                    System.out.println(keys.getInt(1));
                    var point = connection.setSavepoint("before");
                    System.out.println(connection.createStatement().executeUpdate("DELETE FROM billing.payers WHERE id >= 400"));
                    connection.rollback(point);
                    connection.rollback();
                }
                case "call" -> {
                    var call = connection.prepareCall("{? = call upper(?)}");
                    call.registerOutParameter(1, java.sql.Types.VARCHAR);
                    call.setString(2, "lower");
                    call.execute();
                    System.out.println(call.getString(1));
                    var escaped = connection.createStatement().executeQuery("SELECT {fn concat('a', 'b')}, {d '2024-02-29'}, {ts '2024-02-29 10:00:00'} FROM {oj billing.payers p LEFT OUTER JOIN billing.payers q ON p.id = q.id} WHERE p.name LIKE 'S%' {escape '!'}");
                    print(escaped);
                }
                case "copy" -> {
                    var manager = connection.unwrap(org.postgresql.PGConnection.class).getCopyAPI();
                    var out = new java.io.StringWriter();
                    try {
                        manager.copyOut("COPY (SELECT id, name, ssn FROM clinic.patients ORDER BY id LIMIT 3) TO STDOUT CSV", out);
                        connection.setAutoCommit(false);
                        System.out.println(manager.copyIn("COPY billing.payers (id, name) FROM STDIN CSV", new java.io.StringReader("470,a\n471,b\n")));
                        connection.rollback();
                    } catch (java.io.IOException error) {
                        throw new SQLException(error);
                    }
                    System.out.println(out);
                }
                case "settings" -> {
                    connection.setReadOnly(true);
                    connection.setSchema("billing");
                    System.out.println(connection.getSchema());
                    print(connection.createStatement().executeQuery("SELECT count(*) FROM payers"));
                    System.out.println(connection.isValid(5));
                }
                default -> throw new SQLException("no such case");
            }
        }
    }

    private static void print(ResultSet rows) throws SQLException {
        var shape = rows.getMetaData();
        var line = new StringBuilder();
        for (int column = 1; column <= shape.getColumnCount(); column++) {
            line.append(shape.getColumnLabel(column)).append(':').append(shape.getColumnTypeName(column)).append('|');
        }
        System.out.println(line);
        while (rows.next()) {
            line.setLength(0);
            for (int column = 1; column <= shape.getColumnCount(); column++) {
                line.append(rows.getString(column)).append('|');
            }
            System.out.println(line);
        }
    }
}
