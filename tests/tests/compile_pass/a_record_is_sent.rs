//! The way that is meant: what was recorded is sent, once.

pub fn send(upstream: &mut relay::upstream::Upstream, recorded: relay::recorder::Recorded) {
    upstream.send(recorded);
}
