//! What names of columns and tables, and what is written about them, give away.

use super::Identifier;

/// What a name says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The kind that it names.
    pub(crate) identifier: Identifier,
    /// It can mean other things: `name` may be that of a company.
    pub(crate) ambiguous: bool,
}

/// What the words of a name, or of a comment, say.
pub(crate) fn named(text: &str) -> Option<Hint> {
    let words = words(text);
    let says = |phrase: &&str| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|window| window.iter().zip(&phrase).all(|(word, part)| word == part))
    };
    let find = |table: &[(Identifier, &[&str])], ambiguous| {
        let found = table.iter().find(|(_, phrases)| phrases.iter().any(&says));
        found.map(|(identifier, _)| Hint { identifier: *identifier, ambiguous })
    };
    find(CLEAR_NAMES, false).or_else(|| find(AMBIGUOUS_NAMES, true))
}

/// Whether a table of this name is about people.
pub(crate) fn is_of_people(table: &str) -> bool {
    words(table)
        .iter()
        .any(|word| PEOPLE.contains(&word.strip_suffix('s').unwrap_or(word)) || PEOPLE.contains(&word.as_str()))
}

/// Whether a column of this name is for texts that somebody writes.
pub(crate) fn is_free_text(column: &str) -> bool {
    words(column).iter().any(|word| FREE_TEXTS.contains(&word.strip_suffix('s').unwrap_or(word)))
}

/// Whether a column of this name is usually for one of a few words that tell nothing of anybody.
pub(crate) fn is_administrative(column: &str) -> bool {
    words(column).last().is_some_and(|word| ADMINISTRATIVE.contains(&word.as_str()))
}

/// `patientFirst_name2` is patient, first, name.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        if letter.is_uppercase() && before.is_lowercase() || !letter.is_alphabetic() {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

const CLEAR_NAMES: &[(Identifier, &[&str])] = &[
    (
        Identifier::SocialSecurity,
        &[
            "ssn",
            "social security",
            "socialsecurity",
            "social sec",
            "soc sec",
            "ssno",
            "itin",
            "tin",
            "tax id",
            "taxpayer id",
        ],
    ),
    (Identifier::Email, &["email", "e mail", "mail address", "emailaddress"]),
    (Identifier::Fax, &["fax", "facsimile", "telefax"]),
    (Identifier::Telephone, &["phone", "telephone", "tel", "mobile", "cell", "cellphone", "msisdn", "phonenumber"]),
    (
        Identifier::MedicalRecord,
        &[
            "mrn",
            "medical record",
            "medrec",
            "record number",
            "chart number",
            "chart no",
            "patient number",
            "patient no",
        ],
    ),
    (
        Identifier::Beneficiary,
        &[
            "mbi",
            "hicn",
            "medicare",
            "medicaid",
            "beneficiary",
            "member id",
            "member number",
            "subscriber",
            "policy number",
            "insurance id",
            "insurance number",
            "plan number",
            "group number",
        ],
    ),
    (
        Identifier::Account,
        &[
            "account",
            "account number",
            "acct",
            "iban",
            "card number",
            "credit card",
            "creditcard",
            "pan",
            "routing number",
            "guarantor",
        ],
    ),
    (
        Identifier::License,
        &["license", "licence", "certificate", "dea", "npi", "passport", "driver license", "drivers license"],
    ),
    (Identifier::Vehicle, &["vin", "plate", "license plate", "vehicle"]),
    (Identifier::Device, &["device", "udi", "imei", "imsi", "mac", "serial number", "serial no", "serial", "implant"]),
    (Identifier::Url, &["url", "uri", "website", "homepage", "web page", "link"]),
    (Identifier::InternetAddress, &["ip", "ip address", "ipaddr", "remote addr", "client addr"]),
    (
        Identifier::Biometric,
        &["biometric", "fingerprint", "finger", "retina", "iris", "voiceprint", "voice", "dna", "genome", "genotype"],
    ),
    (Identifier::Photograph, &["photo", "photograph", "picture", "portrait", "face", "selfie", "headshot"]),
    (
        Identifier::Date,
        &[
            "dob",
            "birth",
            "birthdate",
            "birthday",
            "birth date",
            "date of birth",
            "born",
            "dod",
            "death",
            "died",
            "deceased",
            "admission",
            "admitted",
            "discharge",
            "discharged",
        ],
    ),
    (Identifier::Zip, &["zip", "zipcode", "zip code", "postal code", "postcode", "postal"]),
    (
        Identifier::Address,
        &[
            "street",
            "address line",
            "home address",
            "mailing address",
            "addr",
            "city",
            "town",
            "county",
            "parish",
            "precinct",
            "latitude",
            "longitude",
            "lat",
            "lon",
            "lng",
            "geo",
            "geom",
            "geolocation",
            "residence",
        ],
    ),
    (
        Identifier::Name,
        &[
            "first name",
            "last name",
            "firstname",
            "lastname",
            "fname",
            "lname",
            "surname",
            "forename",
            "given name",
            "family name",
            "maiden name",
            "middle name",
            "full name",
            "fullname",
            "nickname",
            "patient name",
            "maiden",
            "next of kin",
        ],
    ),
];

const AMBIGUOUS_NAMES: &[(Identifier, &[&str])] = &[
    (Identifier::Address, &["address", "location", "place"]),
    (Identifier::Name, &["name", "contact", "kin", "guardian", "spouse", "employer", "username", "login"]),
    (Identifier::Photograph, &["image", "scan"]),
    (Identifier::Other, &["uuid", "guid", "token", "barcode", "external id", "identifier"]),
];

const PEOPLE: [&str; 24] = [
    "patient",
    "person",
    "people",
    "member",
    "subject",
    "individual",
    "client",
    "customer",
    "user",
    "contact",
    "guardian",
    "beneficiary",
    "subscriber",
    "enrollee",
    "resident",
    "employee",
    "participant",
    "relative",
    "guarantor",
    "donor",
    "clinician",
    "physician",
    "staff",
    "demographic",
];

const FREE_TEXTS: [&str; 18] = [
    "note",
    "comment",
    "remark",
    "reason",
    "description",
    "narrative",
    "text",
    "body",
    "message",
    "memo",
    "history",
    "summary",
    "finding",
    "impression",
    "report",
    "letter",
    "complaint",
    "detail",
];

const ADMINISTRATIVE: [&str; 18] = [
    "status",
    "state",
    "type",
    "kind",
    "category",
    "class",
    "department",
    "ward",
    "unit",
    "currency",
    "language",
    "locale",
    "active",
    "enabled",
    "version",
    "priority",
    "source",
    "method",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_by_its_words() {
        for (name, identifier) in [
            ("ssn", Identifier::SocialSecurity),
            ("PatientSSN", Identifier::SocialSecurity),
            ("social_security_no", Identifier::SocialSecurity),
            ("homePhone2", Identifier::Telephone),
            ("DATE OF BIRTH", Identifier::Date),
            ("admitted", Identifier::Date),
            ("zip5", Identifier::Zip),
            ("last_name", Identifier::Name),
            ("Medical record number of the patient", Identifier::MedicalRecord),
        ] {
            assert_eq!(named(name), Some(Hint { identifier, ambiguous: false }), "{name}");
        }
        assert_eq!(named("name").map(|hint| hint.ambiguous), Some(true));
        // Words, and not parts of words.
        for name in ["shipment", "description", "assistant", "recipe", "hotel", "cancelled", "amount", "id"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
