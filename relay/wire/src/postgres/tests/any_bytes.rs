use super::strategies::parts;
use crate::fuzzing;
use crate::postgres::Startup;
use crate::postgres::startup::Protocol;
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        fuzzing::startup(&bytes);
        fuzzing::frontend(&bytes);
        fuzzing::backend(&bytes);
        fuzzing::conversation(&bytes);
        fuzzing::scram(&bytes);
    }

    #[test]
    fn any_body_behind_a_good_header_is_decoded_or_refused(
        messages in vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..60)), 1..5),
    ) {
        let tags = |known: &dyn Fn(u8) -> bool| (0..=u8::MAX).filter(|tag| known(*tag)).collect::<Vec<u8>>();
        let stream = |tags: &[u8]| {
            let mut stream = Vec::new();
            for (tag, body) in &messages {
                stream.push(tags[tag.index(tags.len())]);
                stream.extend_from_slice(&(u32::try_from(body.len()).unwrap() + 4).to_be_bytes());
                stream.extend_from_slice(body);
            }
            stream
        };
        fuzzing::frontend(&stream(&tags(&|tag| crate::postgres::limits::frontend(tag).is_some())));
        fuzzing::backend(&stream(&tags(&|tag| crate::postgres::limits::backend(tag).is_some())));
    }

    #[test]
    fn a_good_message_with_any_damage_is_decoded_or_refused(
        parts in parts(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<prop::sample::Index>(),
    ) {
        let damaged = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for (place, value) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
            let keep = keep.index(bytes.len() * 2);
            bytes.truncate(keep);
            bytes
        };
        let mut frontend = BytesMut::new();
        parts.frontend().encode(&mut frontend).unwrap();
        fuzzing::frontend(&damaged(&frontend));
        fuzzing::backend(&damaged(&parts.backend()));
        let mut startup = BytesMut::new();
        let parameters = vec![("user".to_owned(), parts.texts[0].clone()), ("database".to_owned(), String::new())];
        Startup::Start { protocol: Protocol::V3_2, parameters }.encode(&mut startup).unwrap();
        fuzzing::startup(&damaged(&startup));
    }
}
