//! What was protected once stays protected: a renamed, detached or moved relation still holds what it held, and a column
//! that took another's name still is the one it was (rule 7). The classification goes by names, this by OID and number.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::protection::{ClassificationError, Protection};
use crate::catalog::Snapshot;
use crate::config::{Classification, ClassifiedTable, ColumnStyle};
use crate::rewrite::Style;

/// Styles by relation and column, as they were in any snapshot since the process began.
#[derive(Debug, Default)]
pub(crate) struct Remembered(BTreeMap<u32, BTreeMap<i16, Option<Style>>>);

impl Remembered {
    /// The classification, with what it would lose by the names of this snapshot; itself where it loses nothing.
    pub(crate) fn kept<'a>(
        &mut self,
        classification: &'a Classification,
        snapshot: &Snapshot,
    ) -> Result<Cow<'a, Classification>, ClassificationError> {
        let by_name = Protection::close(classification, snapshot)?;
        self.0.retain(|oid, _| snapshot.relation(*oid).is_some());
        let lost: Vec<u32> =
            self.0.iter().filter(|(oid, was)| loses(&by_name, **oid, was)).map(|(oid, _)| *oid).collect();
        let (kept, all) = if lost.is_empty() {
            (Cow::Borrowed(classification), by_name)
        } else {
            let mut extended = classification.clone();
            lost.iter().for_each(|oid| self.restore(*oid, &mut extended, snapshot));
            let all = Protection::close(&extended, snapshot)?;
            (Cow::Owned(extended), all)
        };
        for relation in snapshot.relations() {
            for (number, style) in all.columns(relation.oid).into_iter().flatten() {
                let known = self.0.entry(relation.oid).or_default().entry(*number).or_default();
                *known = known.take().or_else(|| style.clone());
            }
        }
        Ok(kept)
    }

    /// Names a relation's columns as they are called now: protected where they were, or are by name.
    fn restore(&self, oid: u32, classification: &mut Classification, snapshot: &Snapshot) {
        let (Some(relation), Some(was)) = (snapshot.relation(oid), self.0.get(&oid)) else { return };
        let name = relation.qualified().to_string();
        let mut columns = match classification.table.iter().position(|table| table.name == name) {
            Some(at) => classification.table.swap_remove(at).columns,
            None => BTreeMap::new(),
        };
        for column in &relation.columns {
            if let Some(style) = was.get(&column.number) {
                let written = style.as_ref().map_or_else(ColumnStyle::clear, Style::written);
                let named = columns.entry(column.name.clone()).or_insert_with(|| written.clone());
                if named.is_clear() {
                    *named = written;
                }
            }
        }
        classification.table.push(ClassifiedTable { name, columns });
    }
}

fn loses(by_name: &Protection, oid: u32, was: &BTreeMap<i16, Option<Style>>) -> bool {
    let now = by_name.columns(oid);
    was.iter()
        .any(|(number, style)| style.is_some() && now.is_none_or(|now| now.get(number).is_some_and(Option::is_none)))
}
