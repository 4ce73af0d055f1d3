//! Statements grown from pieces of others, run for real: whatever they are, no raw value comes back, in rows or errors.

use tokio_postgres::error::DbError;

use super::QUERIES;
use super::clinic::{Clinic, skip};

const SPLICES: usize = 500;

#[tokio::test]
async fn no_splice_of_queries_returns_a_raw_value() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let raw = clinic.raw_values().await;
    clinic.relay.batch_execute("SET statement_timeout = 50").await.unwrap();
    let pieces: Vec<Vec<&str>> = QUERIES.iter().map(|query| words(query)).collect();
    let mut random = Random(7);
    let (mut ran, mut failed) = (0, 0);
    for _ in 0..SPLICES {
        let attack = splice(&pieces, &mut random);
        let Ok(upstream) = clinic.decide(&attack) else { continue };
        let said = match clinic.relay.simple_query(&upstream).await {
            Ok(messages) => {
                ran += 1;
                super::clinic::text_rows(&messages).into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
            }
            Err(error) => {
                failed += 1;
                error.as_db_error().map(everything).unwrap_or_default()
            }
        };
        assert_eq!(raw.find_in(&said), None, "{attack}\n{upstream}");
    }
    assert!(ran > SPLICES / 20 && failed > 0, "{ran} ran, {failed} failed: too few to prove anything");
}

fn splice(pieces: &[Vec<&str>], random: &mut Random) -> String {
    let (one, other) = (&pieces[random.below(pieces.len())], &pieces[random.below(pieces.len())]);
    let (cut, from) = (random.below(one.len() + 1), random.below(other.len() + 1));
    let to = from + random.below(other.len() - from + 1);
    let back = cut + random.below(one.len() - cut + 1);
    [&one[..cut], &other[from..to], &one[back..]].concat().join(" ")
}

fn everything(error: &DbError) -> String {
    format!("{error:?}")
}

/// Words, numbers and strings whole; every other character by itself.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if in_word(first) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            words.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    words
}

/// A small linear congruential generator: the same splices on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}
