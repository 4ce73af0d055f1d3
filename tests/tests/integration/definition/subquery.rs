//! Random subqueries in expressions.

use super::generator::{Generator, Level, Place};
use super::kind::Kind;

impl Generator<'_> {
    /// One value: an aggregate, or the first row of an order that leaves nothing open.
    pub(super) fn scalar(&mut self, kind: Kind) -> String {
        self.subqueries -= 1;
        self.permitting(false, false, |own| {
            own.levels.push(Level::default());
            let from = own.from(0);
            let condition = own.maybe_condition(60);
            let text = if own.random.chance(50) || !kind.sorts() {
                own.level().keys = Some(Vec::new());
                let value = own.aggregate(kind, 1);
                // Where nothing is gathered, a constant comes once a row, always the same.
                format!("(SELECT {value} FROM {from}{condition} LIMIT 1)")
            } else {
                let value = own.expression(kind, 1);
                format!("(SELECT {value} FROM {from}{condition} ORDER BY 1 LIMIT 1)")
            };
            own.levels.pop();
            if kind == Kind::Texts || kind == Kind::Ints { format!("{text}::{}", kind.sql()) } else { text }
        })
    }

    /// An array of what a query finds, or something of it.
    pub(super) fn gathered(&mut self, kind: Kind) -> Option<String> {
        let (of, form) = match kind {
            Kind::Texts => (Kind::Text, "{0}::text[]"),
            Kind::Ints => (Kind::Int, "{0}::int[]"),
            Kind::Text => (Kind::Text, "array_to_string({0}, '+', '?')"),
            Kind::Int => (Kind::Text, "cardinality({0})"),
            _ => return None,
        };
        self.subqueries -= 1;
        let found = self.permitting(false, false, |own| {
            own.levels.push(Level::default());
            let from = own.from(0);
            let value = own.expression(of, 1);
            let condition = own.maybe_condition(50);
            own.levels.pop();
            form.replace("{0}", &format!("ARRAY(SELECT {value} FROM {from}{condition} ORDER BY 1)"))
        });
        Some(found)
    }

    /// A condition that asks another query.
    pub(super) fn asking(&mut self) -> String {
        self.subqueries -= 1;
        if self.random.chance(40) {
            let exists = self.random.pick(&["EXISTS", "EXISTS", "NOT EXISTS"]);
            return self.permitting(false, false, |own| {
                own.levels.push(Level::default());
                let from = own.from(0);
                let condition = own.maybe_condition(85);
                let shown = own.random.pick(&["1", "*", ""]);
                own.levels.pop();
                format!("({exists} (SELECT {shown} FROM {from}{condition}))")
            });
        }
        let kind = self.useful_kind(true);
        let one = self.leaf(kind);
        if self.random.chance(20) {
            let other = self.useful_kind(true);
            let two = self.leaf(other);
            let found = self.permitting(false, false, |own| own.select(Some(&[kind, other]), 0));
            return format!("(({one}, {two}) {} ({}))", self.random.pick(&["IN", "NOT IN", "= ANY"]), found.sql);
        }
        let found = self.permitting(false, false, |own| own.select(Some(&[kind]), 0));
        let how = ["IN", "IN", "NOT IN", "= ANY", "<> ALL", "<= ANY", ">= ALL", "< ALL", "= SOME"];
        format!("({one} {} ({}))", self.random.pick(&how), found.sql)
    }

    fn maybe_condition(&mut self, percent: usize) -> String {
        if !self.random.chance(percent) {
            return String::new();
        }
        format!(" WHERE {}", self.at(Place::Predicate, |own| own.condition(1)))
    }
}
