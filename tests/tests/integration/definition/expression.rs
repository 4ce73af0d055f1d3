//! Random expressions of a kind, over what can be seen where they stand.

use super::forms::{
    AGGREGATES, ANY_KIND, ANY_SORTED, COMPARISONS, EXTREMES, FORMS, Form, OF_KIND, OF_PEERS, OF_ROWS, OF_TRUTH, TESTS,
};
use super::generator::{Generator, Place, Visible};
use super::kind::{Kind, quoted_literal};

impl Generator<'_> {
    /// At most so deep.
    pub(super) fn expression(&mut self, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.random.chance(30) {
            return self.leaf(kind);
        }
        if self.may_aggregate() && self.random.chance(40) {
            return self.aggregate(kind, depth);
        }
        if kind == Kind::Bool && self.random.chance(70) {
            return self.condition(depth);
        }
        match self.random.below(100) {
            0..=11 if self.may_window() => self.window(kind, depth),
            12..=17 if self.may_ask() => self.scalar(kind),
            18..=30 => self.any_kind(kind, depth),
            31..=34 => self.of_whole_row(kind).unwrap_or_else(|| self.own(kind, depth)),
            35..=39 if self.may_ask() => self.gathered(kind).unwrap_or_else(|| self.own(kind, depth)),
            _ => self.own(kind, depth),
        }
    }

    /// What is true or not, and depends on a row mostly.
    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth > 1 {
            match self.random.below(100) {
                0..=11 => return format!("({} OR {})", self.condition(depth - 1), self.condition(depth - 1)),
                12..=20 => return format!("({} AND {})", self.condition(depth - 1), self.condition(depth - 1)),
                21..=24 => return format!("(NOT {})", self.condition(depth - 1)),
                25..=42 if self.may_ask() => return self.asking(),
                43..=52 => return self.own(Kind::Bool, depth),
                53..=55 => return self.of_whole_row(Kind::Bool).unwrap_or_else(|| self.own(Kind::Bool, depth)),
                _ => {}
            }
        }
        self.comparison()
    }

    fn comparison(&mut self) -> String {
        let Some(kind) = self.some_kind() else { return self.leaf(Kind::Bool) };
        if self.random.chance(12) {
            let part = self.expression(Kind::Bool, 1);
            return format!("({part} {})", self.random.pick(OF_TRUTH));
        }
        if !kind.sorts() || self.random.chance(15) {
            let part = self.leaf(kind);
            return self.random.pick(TESTS).replace("{0}", &part);
        }
        let own = OF_KIND.iter().filter(|(of, _)| *of == kind).map(|(_, form)| *form).collect::<Vec<_>>();
        if !own.is_empty() && self.random.chance(45) {
            let part = self.leaf(kind);
            return self.random.pick(&own).replace("{0}", &part);
        }
        if self.random.chance(12) {
            return self.of_two(kind);
        }
        // An array of arrays is one array.
        let forms: Vec<&str> =
            COMPARISONS.iter().copied().filter(|form| !kind.is_array() || !form.contains("ARRAY[")).collect();
        let form = self.random.pick(&forms);
        // NULL never is what is asked for, and constants meet what is there now and then.
        let mut parts = vec![self.leaf(kind)];
        for _ in 1..places(form) {
            parts.push(match self.random.below(100) {
                0..=24 => self.expression(kind, 1),
                25..=44 if !form.contains("ARRAY[") => self.untyped(kind),
                45..=74 => self.of_now(kind).unwrap_or_else(|| self.literal(kind)),
                _ => self.literal(kind),
            });
        }
        filled(form, &parts)
    }

    /// Rows of two values.
    fn of_two(&mut self, kind: Kind) -> String {
        let other = self.some_kind().filter(|kind| kind.sorts()).unwrap_or(kind);
        let (one, two) = (self.leaf(kind), self.leaf(other));
        let (low, high) = (self.literal(kind), self.literal(other));
        match self.random.below(6) {
            0 => format!("(({one}, {two}) = ({low}, {high}))"),
            1 => format!("(ROW({one}, {two}) <> ROW({low}, {high}))"),
            2 => format!("(({one}, {two}) >= ({low}, {high}))"),
            3 => format!("(({one}, {two}) IN (({low}, {high}), ({one}, {high})))"),
            4 => format!("(ROW({one}, {two}) IS NOT NULL)"),
            _ => format!("(ROW({one}, {two}) IS DISTINCT FROM ROW({low}, {two}))"),
        }
    }

    /// A column where there is one, or else a constant.
    pub(super) fn leaf(&mut self, kind: Kind) -> String {
        if self.random.chance(85)
            && let Some(column) = self.some_column(|column| column.kind == kind)
        {
            return self.refer(&column);
        }
        self.literal(kind)
    }

    /// A moment later than all that is stored, so that it does not matter which one.
    fn of_now(&mut self, kind: Kind) -> Option<String> {
        let ways: &[&str] = match kind {
            Kind::Date => &["CURRENT_DATE", "CURRENT_DATE", "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date"],
            Kind::Timestamp => &["LOCALTIMESTAMP", "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')", "CURRENT_DATE::timestamp"],
            Kind::Timestamptz => &["CURRENT_TIMESTAMP", "(LOCALTIMESTAMP AT TIME ZONE 'UTC')"],
            _ => return None,
        };
        Some(self.random.pick(ways).to_owned())
    }

    /// A constant or parameter whose type follows from what it is compared with.
    fn untyped(&mut self, kind: Kind) -> String {
        let value = self.random.pick(kind.pool());
        match self.untyped_parameter(kind, value) {
            Some(parameter) => parameter,
            None => quoted_literal(value),
        }
    }

    /// A constant or parameter.
    pub(super) fn literal(&mut self, kind: Kind) -> String {
        if self.random.chance(4) && kind != Kind::Json {
            return format!("NULL::{}", kind.sql());
        }
        let value = self.random.pick(kind.pool());
        if self.random.chance(40)
            && let Some(parameter) = self.parameter(kind, value)
        {
            return parameter;
        }
        if matches!(kind, Kind::Int) && self.random.chance(60) && !value.starts_with('-') {
            return value.to_owned();
        }
        kind.literal(value)
    }

    fn own(&mut self, kind: Kind, depth: usize) -> String {
        let forms: Vec<&Form> = FORMS.iter().filter(|form| form.0 == kind).collect();
        if forms.is_empty() {
            return self.leaf(kind);
        }
        let form = **self.random.one_of(&forms);
        self.fill(form, depth - 1)
    }

    pub(super) fn fill(&mut self, (_, text, kinds): Form, depth: usize) -> String {
        let parts: Vec<String> = kinds.iter().map(|kind| self.expression(*kind, depth)).collect();
        filled(text, &parts)
    }

    fn any_kind(&mut self, kind: Kind, depth: usize) -> String {
        let forms = if kind.sorts() && self.random.chance(50) { ANY_SORTED } else { ANY_KIND };
        let forms: Vec<&str> =
            forms.iter().copied().filter(|form| !kind.is_array() || !form.contains("ARRAY[")).collect();
        let form = self.random.pick(&forms);
        let parts: Vec<String> = (0..places(form)).map(|_| self.expression(kind, depth - 1)).collect();
        let mut text = filled(form, &parts).replace("{t}", kind.sql());
        while text.contains("{b}") {
            let condition = self.condition(depth - 1);
            text = text.replacen("{b}", &condition, 1);
        }
        text
    }

    /// Of the rows of a group; inside of it are columns of this level alone.
    pub(super) fn aggregate(&mut self, kind: Kind, depth: usize) -> String {
        let forms: Vec<&Form> = AGGREGATES.iter().filter(|form| form.0 == kind).collect();
        let extreme = kind.has_extremes() && (forms.is_empty() || self.random.chance(30));
        if !extreme && forms.is_empty() {
            return self.leaf(kind);
        }
        let text = self.inside_of_aggregate(|own| {
            if extreme {
                let form = *own.random.one_of(EXTREMES);
                let part = own.expression(kind, depth.min(2) - 1);
                return form.replace("{0}", &part);
            }
            let form = **own.random.one_of(&forms);
            own.fill(form, depth.min(2) - 1)
        });
        // A cast or ROUND around it takes no FILTER.
        let bare = text.ends_with(')') && !text.contains("round(") && !text.contains("rank(");
        if bare && self.random.chance(20) {
            let condition = self.inside_of_aggregate(|own| own.condition(1));
            return format!("{text} FILTER (WHERE {condition})");
        }
        text
    }

    fn window(&mut self, kind: Kind, depth: usize) -> String {
        let order = self.total_order();
        let rows = order.is_some() && self.random.chance(50);
        let forms = if rows { OF_ROWS } else { OF_PEERS };
        let forms: Vec<&Form> = forms.iter().filter(|form| form.0 == kind).collect();
        if forms.is_empty() {
            return self.own(kind, depth);
        }
        let form = **self.random.one_of(&forms);
        let (call, partition, keys, number) = self.inside_of_window(|own| {
            let call = own.fill(form, 1);
            let partition = own.at(Place::Grouping, |own| own.some_sorted_column());
            let number = own.some_column(|column| column.kind == Kind::Int).map(|column| own.refer(&column));
            (call, partition, own.some_sorted_column(), number)
        });
        let partition = partition.filter(|_| self.random.chance(60)).map(|by| format!("PARTITION BY {by} "));
        let mut over = partition.unwrap_or_default();
        if rows {
            over.push_str(&format!("ORDER BY {}", order.unwrap_or_default()));
            if self.random.chance(40) {
                over.push(' ');
                over.push_str(self.random.pick(FRAMES_OF_ROWS));
            }
        } else if let Some(number) = number.filter(|_| self.random.chance(20)) {
            over.push_str(&format!("ORDER BY {number} RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING"));
        } else if let Some(keys) = keys.filter(|_| self.random.chance(70)) {
            over.push_str(&format!("ORDER BY {keys}{}", self.random.pick(&["", " DESC", " NULLS FIRST"])));
            if self.random.chance(40) {
                over.push(' ');
                over.push_str(self.random.pick(FRAMES_OF_PEERS));
            }
        }
        if self.random.chance(45)
            && let Some(name) = self.named_window(&over)
        {
            return format!("{call} OVER {name}");
        }
        format!("{call} OVER ({over})")
    }

    fn of_whole_row(&mut self, kind: Kind) -> Option<String> {
        let item = self.some_row(|row| !row.renamed || !matches!(kind, Kind::Json | Kind::Jsonb))?;
        Some(match kind {
            Kind::Bool => {
                format!("({item} {})", self.random.pick(&["IS NULL", "IS NOT NULL", "IS DISTINCT FROM NULL"]))
            }
            Kind::Text => format!("{item}::text"),
            Kind::Jsonb => format!("to_jsonb({item})"),
            Kind::Json => format!("row_to_json({item})"),
            Kind::Int => format!("num_nonnulls({item}, NULL)"),
            _ => return None,
        })
    }

    fn some_kind(&mut self) -> Option<Kind> {
        self.some_column(|_| true).map(|column| column.kind)
    }

    pub(super) fn some_sorted_column(&mut self) -> Option<String> {
        let column: Visible = self.some_column(|column| column.kind.sorts())?;
        Some(self.refer(&column))
    }
}

/// How many parts a text has places for.
fn places(text: &str) -> usize {
    (0..4).rev().find(|place| text.contains(&format!("{{{place}}}"))).map_or(0, |last| last + 1)
}

/// Puts parts in their places.
fn filled(text: &str, parts: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        let place = rest.as_bytes()[at + 1];
        match place {
            b'0'..=b'9' => filled.push_str(&parts[usize::from(place - b'0')]),
            // `{{` and `}}` are braces; `{b}` and `{t}` are for later.
            b'{' => filled.push('{'),
            _ => filled.push_str(&rest[at..at + 3]),
        }
        rest = &rest[at + if place == b'{' { 2 } else { 3 }..];
    }
    filled.push_str(rest);
    filled.replace("}}", "}")
}

const FRAMES_OF_ROWS: &[&str] = &[
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
    "ROWS 2 PRECEDING EXCLUDE CURRENT ROW",
    "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
];
const FRAMES_OF_PEERS: &[&str] = &[
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "GROUPS UNBOUNDED PRECEDING EXCLUDE GROUP",
];
