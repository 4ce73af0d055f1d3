//! There is no way around the recorder for bytes, either.
//! expect: E0308
//! expect: expected `Recorded`

pub fn send(upstream: &mut relay::upstream::Upstream) {
    upstream.send(b"Q\0\0\0\x0dDROP ...".to_vec());
}
