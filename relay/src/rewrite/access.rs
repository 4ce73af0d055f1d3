//! What a principal may do with a relation, as the rewriter needs to know it: answers, not policies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use schemas::event::ObjectScope;

use super::mask::Style;
use super::splice::Spliced;

/// Answers for everything of the snapshot. What is not in it may not be touched.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Answers for relations, by OID.
    pub relations: BTreeMap<u32, RelationAccess>,
    /// May a schema be made.
    pub new_schema: Grant,
    /// May relations be made in a schema, by its name.
    pub schemas: BTreeMap<String, Grant>,
    /// May a function be called that users or an extension made, by schema and name; those of which nothing is permitted
    /// are left out.
    pub functions: BTreeMap<(String, String), Grant>,
    /// May notifications be sent and heard.
    pub notify: Grant,
    /// May other sessions be cancelled or ended.
    pub signal: Grant,
    /// Where sessions look names up that choose no path of their own.
    pub search_path: Arc<[String]>,
    /// Prefixes of the application's own settings.
    pub settings: Arc<[String]>,
    /// May masks be stored anywhere, once somebody approves.
    pub stores_masks: bool,
    /// Functions that policy forbids to call, of those that could be called without being permitted.
    pub forbidden_functions: BTreeSet<(String, String)>,
}

/// Answers for one relation.
#[derive(Debug, Clone, Default)]
pub struct RelationAccess {
    /// May its rows be read.
    pub select: Grant,
    /// May rows be added.
    pub insert: Grant,
    /// May rows be changed.
    pub update: Grant,
    /// May rows be removed.
    pub delete: Grant,
    /// May it be dropped, emptied or indexed.
    pub ddl: Grant,
    /// May masks be stored in its protected columns, once somebody approves.
    pub write_masks: Grant,
    /// The classification protects a column of it, whoever asks.
    pub protected: bool,
    /// The classification names it, if only to say that all of it is clear.
    pub classified: bool,
    /// Its columns, by position; only told for protected relations.
    pub columns: Vec<ColumnAccess>,
    /// The policies that reveal columns of it to this principal.
    pub reveal_policies: Vec<String>,
    /// What replaces it in a `FROM`, when a column must be masked.
    pub scan: Option<Scan>,
    /// The scan without any protected column; written when it is first needed.
    pub(crate) narrow: OnceLock<Scan>,
    /// The scan without revealed columns; written when it is first needed.
    pub(crate) unrevealed: OnceLock<Scan>,
    /// The guard that it carries where it is read unmasked; written when it is first needed.
    pub(crate) guard: OnceLock<Arc<Spliced>>,
    /// Why it may not be touched at all, whatever policy says.
    pub barred: Option<String>,
}

impl RelationAccess {
    /// The answers for evidence; nothing when nothing is permitted. `object` is the relation's qualified name.
    pub(crate) fn scope(&self, object: String) -> Option<ObjectScope> {
        let mut verbs = vec![
            ("ddl", &self.ddl),
            ("delete", &self.delete),
            ("insert", &self.insert),
            ("select", &self.select),
            ("update", &self.update),
            ("write_masks", &self.write_masks),
        ];
        verbs.retain(|(_, grant)| grant.permitted);
        let permitted: Vec<String> = verbs.iter().map(|(verb, _)| (*verb).to_owned()).collect();
        let held = verbs.iter().filter(|(_, grant)| grant.held).map(|(verb, _)| (*verb).to_owned()).collect();
        let revealed = self.columns.iter().filter(|column| column.treatment == Treatment::Revealed);
        let revealed = revealed.map(|column| column.name.clone()).collect();
        (!permitted.is_empty()).then_some(ObjectScope { object, permitted, held, revealed })
    }
}

/// An answer, and the policies that determined it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Permitted; anything else is a denial.
    pub permitted: bool,
    /// Permitted only when somebody approves each time; for `insert`, `update`, `delete` and `ddl`.
    pub held: bool,
    /// Determining policies; empty for default-deny.
    pub policies: Vec<String>,
}

/// One column of a protected relation.
#[derive(Debug, Clone)]
pub struct ColumnAccess {
    /// `attnum`.
    pub number: i16,
    /// Name.
    pub name: String,
    /// What this principal sees.
    pub treatment: Treatment,
}

/// What a principal sees of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// Not protected.
    Clear,
    /// Protected, and revealed by policy.
    Revealed,
    /// Masked at the scan.
    Masked(Style),
}

/// A masked scan, written and verified once per profile.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Of the relation and what inherits from it.
    pub(crate) with_children: Arc<Spliced>,
    /// `FROM ONLY`.
    pub(crate) alone: Arc<Spliced>,
}
