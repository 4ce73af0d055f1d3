//! S3's notifications as a queue hands them over: a batch of messages, each with one event or several.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// Messages, as Lambda takes them from a queue.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    pub(crate) messages: Vec<Message>,
}

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) message_id: String,
    pub(crate) body: String,
}

/// Which messages were not done with. The queue keeps those, and after some attempts puts them aside.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failures {
    #[serde(rename = "batchItemFailures")]
    items: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    message_id: String,
}

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    /// `s3:TestEvent`, which S3 sends when notifications are set up.
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    s3: Stored,
}

#[derive(Deserialize)]
struct Stored {
    object: Named,
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

impl Failures {
    pub(crate) fn add(&mut self, message_id: String) {
        self.items.push(Failure { message_id });
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

/// Keys of the stored objects that a message tells of; nothing when it is no notification of S3's.
pub(crate) fn keys(body: &str) -> Option<Vec<String>> {
    let notification: Notification = serde_json::from_str(body).ok()?;
    match (notification.records, notification.event.as_deref()) {
        (Some(records), _) => records.iter().map(|record| decode(&record.s3.object.key)).collect(),
        (None, Some("s3:TestEvent")) => Some(Vec::new()),
        (None, _) => None,
    }
}

/// Keys are written as a form's values are.
fn decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_the_keys_of_its_objects() {
        let body = r#"{"Records":[
            {"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"evidence/a/open.json","size":1}}},
            {"s3":{"object":{"key":"evidence/a+b%2Fc%3D"}}}]}"#;
        assert_eq!(keys(body).unwrap(), ["evidence/a/open.json", "evidence/a b/c="]);
        assert_eq!(keys(r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#).unwrap(), [""; 0]);
        for none in [
            "",
            "{}",
            r#"{"Event":"other"}"#,
            r#"{"Records":[{"s3":{}}]}"#,
            r#"{"Records":[{"s3":{"object":{"key":"%ff"}}}]}"#,
        ] {
            assert_eq!(keys(none), None, "{none}");
        }
    }

    #[test]
    fn failures_are_told_as_lambda_reads_them() {
        let mut failures = Failures::default();
        assert_eq!(serde_json::to_string(&failures).unwrap(), r#"{"batchItemFailures":[]}"#);
        failures.add("m-1".to_owned());
        assert_eq!(serde_json::to_string(&failures).unwrap(), r#"{"batchItemFailures":[{"itemIdentifier":"m-1"}]}"#);
    }
}
