//! The eighteen kinds of identifiers of Safe Harbor (45 CFR 164.514(b)(2)(i)), and what gives them away: the name of a
//! column, the form of a value.
//!
//! A form proves nothing and its absence proves less: what is found here is proposed to people, or looked at a second time.

mod names;
mod values;

use std::fmt;

pub(crate) use names::{Hint, is_administrative, is_free_text, is_of_people, named};
pub(crate) use values::{Values, forms};

/// A kind of identifier, by its letter in 164.514(b)(2)(i).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Identifier {
    /// (A) Names.
    Name,
    /// (B) Geographic subdivisions smaller than a State, but ZIP codes.
    Address,
    /// (B) ZIP codes.
    Zip,
    /// (C) Elements of dates, except year.
    Date,
    /// (D) Telephone numbers.
    Telephone,
    /// (E) Fax numbers.
    Fax,
    /// (F) Electronic mail addresses.
    Email,
    /// (G) Social security numbers.
    SocialSecurity,
    /// (H) Medical record numbers.
    MedicalRecord,
    /// (I) Health plan beneficiary numbers.
    Beneficiary,
    /// (J) Account numbers.
    Account,
    /// (K) Certificate and license numbers.
    License,
    /// (L) Vehicle identifiers and serial numbers.
    Vehicle,
    /// (M) Device identifiers and serial numbers.
    Device,
    /// (N) Web universal resource locators.
    Url,
    /// (O) Internet protocol addresses.
    InternetAddress,
    /// (P) Biometric identifiers.
    Biometric,
    /// (Q) Full face photographs and comparable images.
    Photograph,
    /// (R) Any other unique identifying number, characteristic, or code.
    Other,
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name (A)",
            Self::Address => "address (B)",
            Self::Zip => "ZIP code (B)",
            Self::Date => "date (C)",
            Self::Telephone => "telephone number (D)",
            Self::Fax => "fax number (E)",
            Self::Email => "e-mail address (F)",
            Self::SocialSecurity => "social security number (G)",
            Self::MedicalRecord => "medical record number (H)",
            Self::Beneficiary => "health plan number (I)",
            Self::Account => "account number (J)",
            Self::License => "license number (K)",
            Self::Vehicle => "vehicle identifier (L)",
            Self::Device => "device identifier (M)",
            Self::Url => "URL (N)",
            Self::InternetAddress => "IP address (O)",
            Self::Biometric => "biometric identifier (P)",
            Self::Photograph => "photograph (Q)",
            Self::Other => "other unique code (R)",
        })
    }
}
