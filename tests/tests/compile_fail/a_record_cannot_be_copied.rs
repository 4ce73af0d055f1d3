//! A copy would be sent without a record of its own.
//! expect: `Recorded` does not implement `Clone`

pub fn copy(recorded: &relay::recorder::Recorded) -> relay::recorder::Recorded {
    recorded.clone()
}
