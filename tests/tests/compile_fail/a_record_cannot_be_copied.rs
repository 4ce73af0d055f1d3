//! A copy would be sent without a record of its own.
//! expect: E0599
//! expect: no method named `clone` found for struct `Recorded`

pub fn copy(recorded: &relay::recorder::Recorded) -> relay::recorder::Recorded {
    recorded.clone()
}
