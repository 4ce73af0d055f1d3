use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;

use crate::call::CallFailed;
use crate::connection::Connection;

/// HMAC-SHA-256 of `message` under a KMS key of `HMAC_256`: the same secret for every program that may use the key, which
/// is written down nowhere.
///
/// # Errors
/// [`CallFailed`].
pub async fn mac(connection: &Connection, key: &str, message: &[u8]) -> Result<[u8; 32], CallFailed> {
    const OPERATION: &str = "GenerateMac";
    let generate = Client::new(&connection.to_sdk()).generate_mac().key_id(key).message(Blob::new(message));
    let answer = generate.mac_algorithm(MacAlgorithmSpec::HmacSha256).send().await;
    let mac = answer.map_err(|error| CallFailed::of(OPERATION, &error))?.mac.map(Blob::into_inner);
    mac.unwrap_or_default().try_into().map_err(|_| CallFailed::new(OPERATION, "expected 32 bytes"))
}
