//! One record, one sending.
//! expect: E0382
//! expect: use of moved value: `recorded`

pub fn send(upstream: &mut relay::upstream::Upstream, recorded: relay::recorder::Recorded) {
    upstream.send(recorded);
    upstream.send(recorded);
}
