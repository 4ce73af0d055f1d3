//! CSV (RFC 4180) that a spreadsheet may open: no cell is taken for a formula.

use std::io::{self, Write};

/// Writes one record.
pub(crate) fn record<'a>(cells: impl IntoIterator<Item = &'a str>, out: &mut dyn Write) -> io::Result<()> {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write!(out, "\"{}{}\"", if is_formula(cell) { "'" } else { "" }, cell.replace('"', "\"\""))?;
    }
    out.write_all(b"\r\n")
}

/// What Excel and LibreOffice run when a file is opened (OWASP, "CSV Injection"). Such a cell gets an apostrophe in
/// front; the JSON export has every text unchanged.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_are_doubled_and_formulas_are_not_run() {
        let mut out = Vec::new();
        super::record(["a,\"b\"\n", "", "=1+1", "1-1"], &mut out).unwrap();
        assert_eq!(out, b"\"a,\"\"b\"\"\n\",\"\",\"'=1+1\",\"1-1\"\r\n");
    }
}
