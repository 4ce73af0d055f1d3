//! Kinds of values that expressions have: types, as far as the grammar tells them apart.

/// What an expression is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `text`, `varchar(n)`, domains over them.
    Text,
    /// `char(9)`, and no other length: values of several are equal and not the same.
    Char,
    /// `int2`, `int4`, domains over them.
    Int,
    Big,
    /// Two digits behind the point, always: 1.0 and 1.00 are equal and not the same.
    Numeric,
    Float,
    Bool,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Interval,
    Uuid,
    Jsonb,
    /// Has no equality and no order.
    Json,
    Texts,
    Ints,
    /// An enum.
    Mood,
    Inet,
    Bytea,
    Span,
    Days,
    /// An array of an enum.
    Moods,
    Money,
}

impl Kind {
    /// A type of it, as a cast names it.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Char => "char(9)",
            Self::Int => "int",
            Self::Big => "bigint",
            Self::Numeric => "numeric(12,2)",
            Self::Float => "float8",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Time => "time",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Jsonb => "jsonb",
            Self::Json => "json",
            Self::Texts => "text[]",
            Self::Ints => "int[]",
            Self::Mood => "app.mood",
            Self::Inet => "inet",
            Self::Bytea => "bytea",
            Self::Span => "int4range",
            Self::Days => "daterange",
            Self::Moods => "app.mood[]",
            Self::Money => "money",
        }
    }

    /// Has equality and order.
    pub(super) fn sorts(self) -> bool {
        self != Self::Json
    }

    /// Its elements are of another kind.
    pub(super) fn is_array(self) -> bool {
        matches!(self, Self::Texts | Self::Ints | Self::Moods)
    }

    /// `min` and `max` take it, in every version.
    pub(super) fn has_extremes(self) -> bool {
        !matches!(self, Self::Bool | Self::Uuid | Self::Jsonb | Self::Json | Self::Bytea | Self::Span | Self::Days)
    }

    /// Values to load and to compare with: few, so that they meet.
    pub(super) fn pool(self) -> &'static [&'static str] {
        match self {
            Self::Text => TEXTS,
            Self::Char => &["a", "AB-12345", "123456789", "", "zürich", "***", "masked"],
            Self::Int | Self::Big => &["0", "1", "2", "3", "4", "5", "7", "-1", "42"],
            Self::Numeric => &["0.00", "1.00", "9.99", "10.50", "-3.25", "100.00", "99.99"],
            Self::Float => &["0", "0.5", "1.25", "-2.5", "1024"],
            Self::Bool => &["true", "false"],
            Self::Date => &["1980-02-29", "1999-12-31", "2000-01-01", "2021-06-15", "1980-01-01", "2021-01-01"],
            Self::Timestamp => &["1999-12-31 23:59:59.5", "2000-01-01 00:00:00", "2021-06-15 12:30:00"],
            Self::Timestamptz => &["1999-12-31 23:59:59-02", "2000-01-01 00:00:00+00", "2021-06-15 12:30:00+02"],
            Self::Time => &["00:00:00", "08:30:00", "23:59:59.25"],
            Self::Interval => &["00:00:00", "1 day", "3 days", "05:30:00"],
            Self::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "5a1e0c37-9b42-4f6d-8e21-7c3b9d0f4a65",
                "ffffffff-0000-4000-8000-000000000001",
            ],
            Self::Jsonb | Self::Json => &[
                r#"{"a": 1, "b": "x"}"#,
                r#"{"a": 2, "b": "ü", "c": [1, 2]}"#,
                r#"{"a": null}"#,
                "{}",
                r#"["a", "b"]"#,
                "7",
            ],
            Self::Texts => &["{}", "{a}", "{a,b}", r#"{a,NULL,"c d"}"#],
            Self::Ints => &["{}", "{1}", "{1,2,3}", "{3,NULL,5}"],
            Self::Mood => &["calm", "grim", "gleeful"],
            Self::Inet => &["0.0.0.0", "10.1.2.3", "192.168.0.0/16", "::1"],
            Self::Bytea => &["", r"\x00ff", r"\x63616e617279"],
            Self::Span => &["empty", "[1,5)", "[3,9)", "(,4)"],
            Self::Days => &["empty", "[2020-01-01,2020-02-01)", "[2021-06-01,)"],
            Self::Moods => &["{}", "{calm}", "{grim,NULL}"],
            Self::Money => &["0", "12.50", "-3"],
        }
    }

    /// A literal of it: `'…'::type`.
    pub(super) fn literal(self, text: &str) -> String {
        format!("{}::{}", quoted_literal(text), self.sql())
    }

    /// OID of its type, for parameters; 0 leaves it to the server.
    pub(super) fn oid(self) -> u32 {
        match self {
            Self::Text => 25,
            Self::Char => 1042,
            Self::Int => 23,
            Self::Big => 20,
            Self::Numeric => 1700,
            Self::Float => 701,
            Self::Bool => 16,
            Self::Date => 1082,
            Self::Timestamp => 1114,
            Self::Timestamptz => 1184,
            Self::Time => 1083,
            Self::Interval => 1186,
            Self::Uuid => 2950,
            Self::Jsonb => 3802,
            Self::Json => 114,
            Self::Texts => 1009,
            Self::Ints => 1007,
            Self::Inet => 869,
            Self::Bytea => 17,
            Self::Span => 3904,
            Self::Days => 3912,
            Self::Money => 790,
            Self::Mood | Self::Moods => 0,
        }
    }
}

/// A string constant.
pub(super) fn quoted_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name in double quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) const ALL: [Kind; 24] = [
    Kind::Text,
    Kind::Char,
    Kind::Int,
    Kind::Big,
    Kind::Numeric,
    Kind::Float,
    Kind::Bool,
    Kind::Date,
    Kind::Timestamp,
    Kind::Timestamptz,
    Kind::Time,
    Kind::Interval,
    Kind::Uuid,
    Kind::Jsonb,
    Kind::Json,
    Kind::Texts,
    Kind::Ints,
    Kind::Mood,
    Kind::Inet,
    Kind::Bytea,
    Kind::Span,
    Kind::Days,
    Kind::Moods,
    Kind::Money,
];

/// Short ones, long ones, none, of several bytes a character; what masks make of them, too.
const TEXTS: &[&str] = &[
    "",
    "a",
    "B",
    "Ada",
    "ada",
    "Ben O'Hara",
    "Ünal",
    "日本語",
    "912-34-5678",
    "900-00-1234",
    "02138",
    "10001",
    "03601",
    "90210-12",
    "12",
    "***",
    "***-**-5678",
    "***-**-1234",
    "000",
    "021",
    "masked",
    "x_y%z",
];
