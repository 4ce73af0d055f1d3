//! A permit says that something may be sent, not that it was written down.
//! expect: E0308
//! expect: expected `Recorded`, found `Permit`

pub fn send(upstream: &mut relay::upstream::Upstream, permit: relay::policy::Permit) {
    upstream.send(permit);
}
