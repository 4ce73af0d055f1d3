//! Only policy makes one.
//! expect: E0451
//! expect: of struct `Permit` are private

pub fn forge(permit: relay::policy::Permit) -> relay::policy::Permit {
    relay::policy::Permit { upstream: Default::default(), ..permit }
}
