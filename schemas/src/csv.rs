//! CSV (RFC 4180) that a spreadsheet may open: no field is taken for a formula.

/// One record with its line end. No value is an empty field; an empty text is `""`.
#[must_use]
pub fn record<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> Vec<u8> {
    let mut record = Vec::new();
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            record.push(b',');
        }
        if let Some(field) = field {
            let guard = if is_formula(field) { "'" } else { "" };
            record.extend_from_slice(format!("\"{guard}{}\"", field.replace('"', "\"\"")).as_bytes());
        }
    }
    record.extend_from_slice(b"\r\n");
    record
}

/// What spreadsheets run when a file is opened (OWASP, "CSV Injection"), the full-width forms of some locales included.
/// Such a field gets an apostrophe in front; the other encodings have every text unchanged.
fn is_formula(field: &str) -> bool {
    field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn quotes_are_doubled_and_formulas_are_not_run() {
        let fields = [Some("a,\"b\"\n"), None, Some(""), Some("=1+1"), Some("1-1"), Some("\u{ff0b}1")];
        let expected = "\"a,\"\"b\"\"\n\",,\"\",\"'=1+1\",\"1-1\",\"'\u{ff0b}1\"\r\n";
        assert_eq!(String::from_utf8(record(fields)).unwrap(), expected);
    }
}
