//! The calls to DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use seams::IndexError;

use super::rows::{Copy, Place};
use crate::call::{self, CallFailed};

pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

/// A row that shall stand where `seen` stands, or nothing.
pub(super) struct Change<'a> {
    pub(super) place: &'a Place,
    pub(super) seen: Option<&'a str>,
    pub(super) row: &'a str,
    pub(super) copy: Option<Copy>,
}

pub(super) struct Found {
    pub(super) sk: String,
    /// Empty in a directory.
    pub(super) row: String,
}

impl Table {
    pub(super) async fn get(&self, place: &Place) -> Result<Option<String>, IndexError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key(place))).consistent_read(true);
        let answer = get.send().await.map_err(|error| self.failed(CallFailed::of("GetItem", &error)))?;
        let Some(mut item) = answer.item else { return Ok(None) };
        self.text(&mut item, ROW).map(Some)
    }

    /// Writes an item without a row; again and again is the same.
    pub(super) async fn name(&self, place: &Place) -> Result<(), IndexError> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(key(place))).send().await;
        put.map(|_| ()).map_err(|error| self.failed(CallFailed::of("PutItem", &error)))
    }

    /// Whether it was done: not when something else stands there than what was seen.
    pub(super) async fn replace(&self, change: Change<'_>) -> Result<bool, IndexError> {
        match change.copy.clone() {
            None => self.put(change).await,
            Some(copy) => self.put_with_copy(change, copy).await,
        }
    }

    async fn put(&self, change: Change<'_>) -> Result<bool, IndexError> {
        let Condition { expression, names, values } = Condition::that_stands(change.seen);
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item(change.place, change.row)));
        let put = put.condition_expression(expression).set_expression_attribute_names(Some(names));
        match put.set_expression_attribute_values(values).send().await {
            Ok(_) => Ok(true),
            Err(error) if call::code(&error).is_some_and(is_another_writer) => Ok(false),
            Err(error) => Err(self.failed(CallFailed::of("PutItem", &error))),
        }
    }

    async fn put_with_copy(&self, change: Change<'_>, copy: Copy) -> Result<bool, IndexError> {
        let unmade = |_| self.failed(CallFailed::new(TRANSACT, "the request could not be made"));
        let Condition { expression, names, values } = Condition::that_stands(change.seen);
        let put = Put::builder().table_name(&self.name).set_item(Some(item(change.place, change.row)));
        let put = put.condition_expression(expression).set_expression_attribute_names(Some(names));
        let put = put.set_expression_attribute_values(values).build().map_err(unmade)?;
        let first = TransactWriteItem::builder().put(put).build();
        let second = if copy.is_there {
            let put = Put::builder().table_name(&self.name).set_item(Some(item(&copy.place, change.row)));
            TransactWriteItem::builder().put(put.build().map_err(unmade)?)
        } else {
            let delete = Delete::builder().table_name(&self.name).set_key(Some(key(&copy.place)));
            TransactWriteItem::builder().delete(delete.build().map_err(unmade)?)
        };
        let write = self.client.transact_write_items().transact_items(first).transact_items(second.build());
        let Err(error) = write.send().await else { return Ok(true) };
        let cancelled = error.as_service_error().is_some_and(|error| {
            let reasons = match error {
                aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
                    cancelled,
                ) => cancelled.cancellation_reasons(),
                _ => return false,
            };
            reasons.iter().filter_map(|reason| reason.code()).any(is_another_writer)
        });
        if cancelled { Ok(false) } else { Err(self.failed(CallFailed::of(TRANSACT, &error))) }
    }

    /// The first `limit` items of a partition whose sort keys are greater than `after`.
    pub(super) async fn query(&self, pk: &str, after: &str, limit: usize) -> Result<Vec<Found>, IndexError> {
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < limit {
            let mut query = self.client.query().table_name(&self.name).consistent_read(true);
            query = query.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
            query = if after.is_empty() {
                query.key_condition_expression("pk = :pk")
            } else {
                let after = AttributeValue::S(after.to_owned());
                query.key_condition_expression("pk = :pk AND sk > :after").expression_attribute_values(":after", after)
            };
            let page = i32::try_from(limit.saturating_sub(found.len())).unwrap_or(i32::MAX).min(PAGE_MAX);
            let answer = query.limit(page).set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| self.failed(CallFailed::of("Query", &error)))?;
            for mut item in answer.items.unwrap_or_default() {
                let row = if item.contains_key(ROW) { self.text(&mut item, ROW)? } else { String::new() };
                found.push(Found { sk: self.text(&mut item, SK)?, row });
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }

    pub(super) fn failed(&self, error: CallFailed) -> IndexError {
        IndexError::Unavailable(self.name.clone(), Box::new(error))
    }

    fn text(&self, item: &mut HashMap<String, AttributeValue>, name: &str) -> Result<String, IndexError> {
        match item.remove(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(self.failed(CallFailed::new("GetItem", format!("an item without {name}")))),
        }
    }
}

struct Condition {
    expression: &'static str,
    names: HashMap<String, String>,
    values: Option<HashMap<String, AttributeValue>>,
}

impl Condition {
    fn that_stands(seen: Option<&str>) -> Self {
        let name = |name: &str, attribute: &str| HashMap::from([(name.to_owned(), attribute.to_owned())]);
        match seen {
            None => Self { expression: "attribute_not_exists(#pk)", names: name("#pk", PK), values: None },
            Some(seen) => {
                let values = HashMap::from([(":seen".to_owned(), AttributeValue::S(seen.to_owned()))]);
                // `row` is a word of the language.
                Self { expression: "#row = :seen", names: name("#row", ROW), values: Some(values) }
            }
        }
    }
}

fn key(place: &Place) -> HashMap<String, AttributeValue> {
    [(PK, &place.pk), (SK, &place.sk)].map(|(name, key)| (name.to_owned(), AttributeValue::S(key.clone()))).into()
}

fn item(place: &Place, row: &str) -> HashMap<String, AttributeValue> {
    let mut item = key(place);
    item.insert(ROW.to_owned(), AttributeValue::S(row.to_owned()));
    item
}

/// It wrote what this one did not see, or is about to.
fn is_another_writer(code: &str) -> bool {
    let code = code.strip_suffix("Exception").unwrap_or(code);
    ["ConditionalCheckFailed", "TransactionConflict"].contains(&code)
}

const PK: &str = "pk";
const SK: &str = "sk";
const ROW: &str = "row";
const TRANSACT: &str = "TransactWriteItems";
/// Of 1 MB a page DynamoDB gives no more anyway.
const PAGE_MAX: i32 = 1000;
