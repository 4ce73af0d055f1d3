use super::one;
use super::strategies::{decoded, parts};
use crate::postgres::frontend::{SaslInitialResponse, cleartext_password, password, sasl_initial_response};
use crate::postgres::startup::{self, Protocol};
use crate::postgres::{Backend, Deframer, Direction, Frontend, FrontendMessage, RawMessage, Startup};
use bytes::{BufMut, Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_frontend_message_is_read_as_it_was_written(parts in parts()) {
        let written = parts.frontend();
        let mut bytes = BytesMut::new();
        written.encode(&mut bytes).unwrap();
        let message = one::<Frontend>(&bytes);
        prop_assert_eq!(&message.bytes()[..], &bytes[..]);
        prop_assert_eq!(FrontendMessage::decode(&message).unwrap(), written);
    }

    #[test]
    fn a_backend_message_is_written_again_as_it_was_read(parts in parts()) {
        let bytes = parts.backend();
        let mut again = BytesMut::new();
        decoded(&bytes, |message| message.encode(&mut again)).unwrap();
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn rows_keep_every_value_and_every_null(parts in parts()) {
        let mut bytes = BytesMut::new();
        crate::postgres::backend::data_row(&parts.values(), &mut bytes).unwrap();
        let columns = decoded(&bytes, |message| match message {
            crate::postgres::BackendMessage::DataRow(row) => {
                row.columns().map(|column| column.map(<[u8]>::to_vec)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        });
        prop_assert_eq!(columns, parts.values);
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        all in vec(parts(), 0..12),
        cuts in vec(1_usize..40, 1..20),
    ) {
        let mut stream = BytesMut::new();
        all.iter().for_each(|parts| parts.frontend().encode(&mut stream).unwrap());
        prop_assert_eq!(by_cuts::<Frontend>(&stream, &cuts), by_cuts::<Frontend>(&stream, &[usize::MAX]));
        let mut stream = BytesMut::new();
        all.iter().for_each(|parts| stream.put_slice(&parts.backend()));
        let whole = by_cuts::<Backend>(&stream, &[usize::MAX]);
        prop_assert_eq!(whole.len(), all.len());
        let joined: Vec<u8> = whole.iter().flat_map(|message| message.bytes().to_vec()).collect();
        prop_assert_eq!(&joined[..], &stream[..]);
        prop_assert_eq!(by_cuts::<Backend>(&stream, &cuts), whole);
    }

    #[test]
    fn long_data_come_in_pieces_that_are_the_stream_however_it_is_cut(
        all in vec(parts(), 0..12),
        cuts in vec(1_usize..40, 1..20),
        whole_max in 8_u32..64,
    ) {
        let mut stream = BytesMut::new();
        all.iter().for_each(|parts| stream.put_slice(&parts.backend()));
        let mut deframer = Deframer::<Backend>::new();
        let (mut joined, mut messages, mut rest) = (BytesMut::new(), 0, &stream[..]);
        for cut in cuts.iter().cycle() {
            let (read, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            deframer.push(read);
            loop {
                if let Some(piece) = deframer.next_piece(whole_max).unwrap() {
                    messages += usize::from(piece.first);
                    joined.put_slice(&piece.bytes);
                    prop_assert!(matches!(piece.tag, b'D' | b'd'));
                } else if let Some(message) = deframer.next().unwrap() {
                    prop_assert!(!matches!(message.tag(), b'D' | b'd') || message.bytes().len() <= whole_max as usize + 1);
                    messages += 1;
                    joined.put_slice(message.bytes());
                } else {
                    break;
                }
            }
            prop_assert!(deframer.buffered() == 0 || !deframer.is_inside(), "a long message waits for nothing");
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(messages, all.len());
        prop_assert_eq!(joined, stream);
        prop_assert!(!deframer.is_inside());
    }

    #[test]
    fn a_startup_packet_is_read_as_it_was_written(
        parameters in prop::collection::btree_map("[^\0]{1,10}", "[^\0]{0,10}", 0..6),
        minor in 0_u16..4,
        secret in vec(any::<u8>(), 4..=256),
        process_id in any::<i32>(),
        behind in vec(any::<u8>(), 0..9),
    ) {
        let start = Startup::Start { protocol: Protocol { major: 3, minor }, parameters: parameters.into_iter().collect() };
        let cancel = Startup::Cancel { process_id, secret: Bytes::from(secret) };
        for packet in [Startup::Ssl, Startup::Gss, start, cancel] {
            let mut bytes = BytesMut::new();
            packet.encode(&mut bytes).unwrap();
            let length = bytes.len();
            for end in 0..length {
                prop_assert_eq!(startup::decode(&bytes[..end]).unwrap(), None);
            }
            bytes.put_slice(&behind);
            prop_assert_eq!(startup::decode(&bytes).unwrap(), Some((packet, length)));
        }
    }

    #[test]
    fn password_and_sasl_messages_are_read_as_they_were_written(parts in parts()) {
        let mut bytes = BytesMut::new();
        password(&parts.texts[0], &mut bytes).unwrap();
        let message = one::<Frontend>(&bytes);
        prop_assert_eq!(cleartext_password(message.body()).unwrap(), &parts.texts[0]);
        bytes.clear();
        let data = parts.values.first().cloned().flatten();
        sasl_initial_response(&parts.words[0], data.as_deref(), &mut bytes).unwrap();
        let message = one::<Frontend>(&bytes);
        let expected = SaslInitialResponse { mechanism: &parts.words[0], data: data.as_deref() };
        prop_assert_eq!(SaslInitialResponse::decode(message.body()).unwrap(), expected);
    }
}

/// The messages of a stream that comes in pieces of these sizes, round and round, one by one and in batches.
fn by_cuts<D: Direction>(stream: &[u8], cuts: &[usize]) -> Vec<RawMessage<D>> {
    let (mut single, mut batched) = (Deframer::new(), Deframer::new());
    let (mut messages, mut from_batches) = (Vec::new(), Vec::new());
    let mut rest = stream;
    for cut in cuts.iter().cycle() {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        single.push(piece);
        batched.space(piece.len()).put_slice(piece);
        while let Some(message) = single.next().unwrap() {
            messages.push(message);
        }
        while let Some(batch) = batched.next_batch().unwrap() {
            from_batches.extend(batch.messages().map(|message| batch.share(message)));
        }
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(messages, from_batches);
    assert_eq!(single.buffered(), 0);
    messages
}
