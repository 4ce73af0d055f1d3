//! Only the recorder makes one.
//! expect: E0451
//! expect: field `bytes` of struct `Recorded` is private

pub fn forge() -> relay::recorder::Recorded {
    relay::recorder::Recorded { bytes: Default::default() }
}
