//! Who gets which certificate: by the way that the request came, whatever it says.

use schemas::leaf::Certificate;
use schemas::signature::{P256Key, Signer};
use serde_json::{Value, json};

use super::*;
use crate::golden::{Golden, event, name};
use crate::metrics::tests::Written;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:000000000000:function:affidavit-certifier";

async fn scene() -> (Golden, Written, Certifying) {
    let (golden, written) = (Golden::new().await, Written::default());
    let policy = Policy::new(name("clinic"), name("test"), vec![name("relay-1"), name("relay-2")]);
    let certifying = Certifying::new(policy, golden.signing(), written.metrics());
    (golden, written, certifying)
}

fn asked(key: &PublicKey) -> Asked {
    serde_json::from_value(json!({ "key": key, "build": "relay 0.1.0" })).unwrap()
}

#[tokio::test]
async fn a_relay_is_certified_under_the_name_whose_alias_it_invoked() {
    let (golden, written, certifying) = scene().await;
    let key = P256Key::generate().unwrap().public_key().clone();
    let root = golden.keys.public_key(KeyName::Certificates).await.unwrap();
    for relay in ["relay-1", "relay-2"] {
        let envelope = certifying.handle(event(asked(&key), &format!("{FUNCTION}:{relay}"))).await.unwrap().unwrap();
        let certificate: Certificate = envelope.open(&root).unwrap();
        assert_eq!((certificate.relay.as_str(), certificate.tenant.as_str()), (relay, "clinic"));
        assert_eq!(certificate.incarnation, key.incarnation());
    }
    assert_eq!(written.sum("Certified"), 2);
}

#[tokio::test]
async fn nobody_is_certified_in_another_way() {
    let (_golden, written, certifying) = scene().await;
    let key = P256Key::generate().unwrap().public_key().clone();
    for arn in [
        FUNCTION.to_owned(),
        format!("{FUNCTION}:relay-3"),
        format!("{FUNCTION}:$LATEST"),
        format!("{FUNCTION}:relay-1:relay-1"),
        format!("{FUNCTION}:"),
        "relay-1".to_owned(),
        String::new(),
    ] {
        let error = certifying.handle(event(asked(&key), &arn)).await.unwrap_err();
        assert_eq!(Diagnostic::from(error).error_type, "Refused", "{arn}");
    }
    assert_eq!((written.sum("Certified"), written.sum("NotCertified")), (0, 7));
}

#[tokio::test]
async fn the_schedule_has_the_keys_certified_once_and_no_alias_has() {
    let (golden, _written, certifying) = scene().await;
    let keys = || serde_json::from_value::<Asked>(json!({ "certify": "keys" })).unwrap();
    let stored = golden.store.list("trust/clinic/test/").await.unwrap().len();
    certifying.handle(event(keys(), &format!("{FUNCTION}:relay-1"))).await.unwrap_err();
    assert_eq!(golden.store.list("trust/clinic/test/").await.unwrap().len(), stored);
    for _ in 0..2 {
        assert_eq!(certifying.handle(event(keys(), FUNCTION)).await.unwrap(), None);
        assert_eq!(golden.store.list("trust/clinic/test/").await.unwrap().len(), stored + 1);
    }
}

#[test]
fn a_request_says_nothing_of_who_asks() {
    let key = P256Key::generate().unwrap().public_key().clone();
    for more in [json!({ "relay": "relay-2" }), json!({ "tenant": "hospital" })] {
        let mut event = json!({ "key": key, "build": "relay 0.1.0" });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(serde_json::from_value::<Asked>(event).is_err(), "{more}");
    }
    for nothing in [json!({}), json!({ "certify": "all" }), Value::Null] {
        assert!(serde_json::from_value::<Asked>(nothing.clone()).is_err(), "{nothing}");
    }
}
