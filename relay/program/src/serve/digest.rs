//! The digest by which a configuration is named, as Terraform makes it (infra/modules/relay/configuration.tf):
//! `sha256(jsonencode(files))`, where `files` has each file's text by its name.

use std::collections::BTreeMap;

use schemas::digest::Sha256Digest;

/// Nothing where a file is no UTF-8, which Terraform cannot have written.
pub(super) fn of(files: &BTreeMap<String, Vec<u8>>) -> Option<Sha256Digest> {
    let texts: Option<BTreeMap<&str, &str>> =
        files.iter().map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?))).collect();
    let json = serde_json::to_string(&texts?).ok()?;
    // In JSON none of these stands outside of a string.
    let escaped = ESCAPED.iter().fold(json, |json, (letter, escape)| json.replace(*letter, escape));
    Some(Sha256Digest::of(escaped.as_bytes()))
}

/// What Terraform escapes besides what JSON demands.
const ESCAPED: [(char, &str); 5] =
    [('<', r"\u003c"), ('>', r"\u003e"), ('&', r"\u0026"), ('\u{2028}', r"\u2028"), ('\u{2029}', r"\u2029")];

#[cfg(test)]
mod tests {
    use super::*;

    /// As Terraform 1.11.4 told it of the same files.
    #[test]
    fn it_is_terraform_s() {
        let files = [
            ("classification/Z.toml", ""),
            (
                "policies/a.cedar",
                "tab\t quote\" back\\ bell\u{7} bs\u{8} ff\u{c} cr\r del\u{7f} é \u{2028} \u{2029} 😀",
            ),
            ("policies/b.cedar", "permit (principal, action, resource) when { 1 < 2 && 3 > 2 };\n"),
            ("relay.toml", "relay = \"one\"\n"),
        ];
        let mut files: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let digest = "145e78e2bb0618760bbd0d6625483b0afc5aea1ad7db2513da7d2d0effafe9c0";
        assert_eq!(of(&files).unwrap().to_string(), digest);
        files.insert("policies/c.cedar".to_owned(), Vec::new());
        assert_ne!(of(&files).unwrap().to_string(), digest, "a file too many");
        files.insert("policies/c.cedar".to_owned(), vec![0xff]);
        assert!(of(&files).is_none());
    }
}
