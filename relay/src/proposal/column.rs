//! What is proposed of one column.

use super::sample::{Sample, percent};
use super::{ColumnProposal, Confidence};
use crate::catalog::{Column, types};
use crate::rewrite::{Style, check_style};
use crate::safe_harbor::{self, Hint, Identifier};

/// Where a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// In a table that says who somebody is: what is not known to be harmless is about that person.
    OfPeople,
    /// In a table that refers to such a one.
    Linked,
    /// Elsewhere.
    Apart,
}

/// What a column gives away by itself.
#[derive(Debug)]
pub(super) struct Signs<'a> {
    pub(super) column: &'a Column,
    pub(super) hint: Option<Hint>,
    pub(super) comment: Option<Hint>,
    pub(super) sample: Option<&'a Sample>,
    pub(super) key: bool,
}

/// An identifier, how sure, and why.
struct Sign {
    identifier: Identifier,
    confidence: Confidence,
    why: String,
}

impl Sign {
    /// `name` beside a record number is no company's.
    fn in_setting(self, setting: Setting) -> Self {
        let surer = setting == Setting::OfPeople && self.identifier == Identifier::Name;
        let confidence = if surer { self.confidence.max(Confidence::Medium) } else { self.confidence };
        Self { confidence, ..self }
    }
}

impl Signs<'_> {
    /// Whether the column says who somebody is, with more than a weak sign.
    pub(super) fn identifies(&self) -> bool {
        let direct = |sign: &Sign| !matches!(sign.identifier, Identifier::Date | Identifier::Zip | Identifier::Other);
        self.sign().is_some_and(|sign| sign.confidence >= Confidence::Medium && direct(&sign))
    }

    /// What is proposed.
    pub(super) fn proposal(&self, setting: Setting) -> ColumnProposal {
        let name = &self.column.name;
        let protected = |style: Style, confidence, why: String| self.proposed(&style, confidence, why);
        let sign = self.sign();
        if self.key && self.is_number() && sign.as_ref().is_none_or(|sign| sign.confidence == Confidence::Low) {
            return self.clear("a key, and a number");
        }
        if let Some(sign) = sign.map(|sign| sign.in_setting(setting))
            && (setting != Setting::Apart || sign.confidence >= Confidence::Medium)
        {
            return protected(style_of(sign.identifier), sign.confidence, format!("{}: {}", sign.identifier, sign.why));
        }
        if setting == Setting::Apart {
            return self.clear("nothing says that it identifies anybody");
        }
        if self.is_text() && (safe_harbor::is_free_text(name) || self.sample.is_some_and(Sample::is_prose)) {
            return protected(Style::Redact, Confidence::Medium, "free text may hold anything".to_owned());
        }
        if self.is_moment() {
            return protected(Style::Year, Confidence::Low, format!("{}: of an event of somebody's", Identifier::Date));
        }
        let few = self.sample.is_none_or(|sample| sample.values == 0 || sample.is_repetitive());
        if safe_harbor::is_administrative(name) && few {
            return self.clear("by its name one of a few words, and no more are seen");
        }
        match setting {
            Setting::OfPeople => {
                let why = "nothing says that it is harmless, in a table that identifies people";
                protected(Style::Default, Confidence::Low, why.to_owned())
            }
            _ if self.is_opaque() => {
                protected(Style::Default, Confidence::Low, "what it holds cannot be told from here".to_owned())
            }
            _ => self.clear("nothing says that it identifies anybody"),
        }
    }

    /// Name, comment and values, weighed.
    fn sign(&self) -> Option<Sign> {
        let seen = self.sample.and_then(Sample::commonest).filter(|(identifier, share)| {
            // Every date has the form of one, and five digits are not always a ZIP code.
            *share >= 30
                && (self.is_text() || !matches!(identifier, Identifier::Date | Identifier::Zip | Identifier::License))
        });
        let said =
            self.hint.filter(|hint| !hint.ambiguous).or(self.comment.filter(|hint| !hint.ambiguous)).or(self.hint);
        let whose = if self.hint.is_some() { "its name" } else { "its comment" };
        match (said, seen) {
            (Some(hint), Some((identifier, share))) if hint.identifier == identifier => Some(Sign {
                identifier,
                confidence: Confidence::High,
                why: format!("{whose} says so, and {share} of 100 values have the form"),
            }),
            (_, Some((identifier, share))) if share >= 60 && has_a_form_of_its_own(identifier) => Some(Sign {
                identifier,
                confidence: if share >= 90 { Confidence::High } else { Confidence::Medium },
                why: format!("{share} of 100 values have the form"),
            }),
            (Some(hint), _) => Some(Sign {
                identifier: hint.identifier,
                confidence: if hint.ambiguous { Confidence::Low } else { Confidence::Medium },
                why: format!("{whose} {}", if hint.ambiguous { "may say so" } else { "says so" }),
            }),
            (None, Some((identifier, share))) => Some(Sign {
                identifier,
                confidence: Confidence::Low,
                why: format!("{share} of 100 values have the form"),
            }),
            (None, None) => self.held(),
        }
    }

    /// Texts and documents with identifiers in them.
    fn held(&self) -> Option<Sign> {
        let sample = self.sample?;
        let formed = sample.within.iter().filter(|(identifier, _)| has_a_form_of_its_own(**identifier));
        let (identifier, count) = formed.max_by_key(|(_, count)| **count)?;
        let confidence = Confidence::Medium;
        Some(Sign {
            identifier: *identifier,
            confidence,
            why: format!("{} of 100 values hold something of the form", percent(*count, sample.values)),
        })
    }

    fn clear(&self, why: &str) -> ColumnProposal {
        ColumnProposal {
            name: self.column.name.clone(),
            style: crate::config::ColumnStyle::CLEAR.to_owned(),
            confidence: if self.key { Confidence::Medium } else { Confidence::Low },
            why: why.to_owned(),
        }
    }

    /// With another style where the wanted one does not fit the type.
    fn proposed(&self, style: &Style, confidence: Confidence, why: String) -> ColumnProposal {
        let fits = check_style(style, self.column).is_ok();
        let style = if fits { style.to_string() } else { Style::Default.to_string() };
        ColumnProposal { name: self.column.name.clone(), style, confidence, why }
    }

    fn is_number(&self) -> bool {
        matches!(self.column.base, types::INT2 | types::INT4 | types::INT8)
    }

    fn is_text(&self) -> bool {
        matches!(self.column.base, types::TEXT | types::VARCHAR | types::BPCHAR | types::NAME)
    }

    fn is_moment(&self) -> bool {
        matches!(self.column.base, types::DATE | types::TIMESTAMP | types::TIMESTAMPTZ)
    }

    /// Documents, bytes, arrays, types of extensions.
    fn is_opaque(&self) -> bool {
        matches!(self.column.base, types::JSON | types::JSONB | types::XML | types::BYTEA)
            || self.column.base_name.ends_with("[]")
            || matches!(self.column.base_kind, 'c')
            || self.column.base_kind == 'b' && self.column.base >= crate::catalog::FIRST_USER_OID
    }
}

/// What treats the identifier and still serves. `last4` treats none.
fn style_of(identifier: Identifier) -> Style {
    match identifier {
        Identifier::Date => Style::Year,
        Identifier::Zip => Style::Zip3,
        _ => Style::Redact,
    }
}

/// What is hardly anything else.
fn has_a_form_of_its_own(identifier: Identifier) -> bool {
    !matches!(identifier, Identifier::Date | Identifier::Zip | Identifier::License | Identifier::Other)
}
