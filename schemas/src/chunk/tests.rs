use super::*;
use crate::data_block::{DataRecord, Direction};
use crate::digest::Sha256Digest;
use crate::entropy::SystemEntropy;
use crate::event::{EventBody, Execute};
use crate::frame::Frames;
use crate::identifiers::SessionId;
use crate::layout::Scope;
use crate::session_key::SessionKey;
use crate::signature::{P256Key, Signer};
use proptest::prelude::*;

fn head(session: SessionId) -> ChunkHead {
    let name = |text: &str| text.parse().unwrap();
    ChunkHead {
        scope: Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") },
        log_origin: "affidavit.test/clinic".to_owned(),
        session,
        connection: name("db"),
        sequence: 1,
        prev: Sha256Digest::of(b"prev"),
        first_event: 1,
    }
}

fn event(number: u64) -> Event {
    Event {
        number,
        time_us: 1000 + number,
        body: EventBody::Execute(Execute { execution: number, statement: 1, row_limit: 0, rows_kept: None }),
    }
}

fn sealed(events: u64, data: &[&[u8]], signer: &P256Key, key: &SessionKey) -> SealedChunk {
    let session = SessionId { incarnation: signer.public_key().incarnation(), counter: 1 };
    let mut builder = ChunkBuilder::new(head(session), key, &SystemEntropy).unwrap();
    for number in 1..=events {
        builder.push_event(&event(number)).unwrap();
    }
    for bytes in data {
        builder.push_data(&DataRecord { direction: Direction::Backend, time_us: 5, bytes }).unwrap();
    }
    builder.finish(&Seal { time_us: 9, last: true }, signer).unwrap()
}

/// Accepts a chunk as the verifier does, as far as one chunk goes.
fn accept(bytes: &[u8], signer: &P256Key) -> Result<(), Violation> {
    let container = Container::parse(bytes)?;
    container.verify(signer.public_key())?;
    let opened = container.decode()?;
    let mut frames = opened.frames();
    while let Some(frame) = frames.next() {
        frame.map_err(|error| frames_broken(&error))?;
    }
    opened.events().try_for_each(|event| event.map(|_| ()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_chunk_gives_back_what_it_was_built_from(events in 0u64..40, data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..8)) {
        let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let chunk = sealed(events, &data, &signer, &key);
        accept(&chunk.bytes, &signer).unwrap();
        let opened = open(&chunk.bytes).unwrap();
        prop_assert_eq!(opened.manifest(), &chunk.manifest);
        prop_assert_eq!(opened.envelope().statement_digest(), chunk.digest);
        prop_assert_eq!(opened.events().map(Result::unwrap).collect::<Vec<_>>(), (1..=events).map(event).collect::<Vec<_>>());
        let mut joined = Vec::new();
        for block in opened.blocks(&key.data_key().unwrap()) {
            for record in block.unwrap().records() {
                joined.extend_from_slice(record.unwrap().bytes);
            }
        }
        prop_assert_eq!(joined, data.concat());
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), framed in any::<bool>()) {
        if framed {
            let length = u32::try_from(bytes.len() + 8).unwrap().to_le_bytes();
            bytes = [&SKIPPABLE_MAGIC.to_le_bytes(), &length[..], &bytes, &length, &SKIPPABLE_MAGIC.to_le_bytes()].concat();
            let mut whole = zstd::bulk::compress(b"x", 1).unwrap();
            whole.append(&mut bytes);
            bytes = whole;
        }
        prop_assert!(open(&bytes).is_err());
    }
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
    let chunk = sealed(3, &[b"data"], &signer, &key).bytes;
    accept(&chunk, &signer).unwrap();
    for position in 0..chunk.len() {
        for change in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = chunk.clone();
            changed[position] ^= change;
            assert!(accept(&changed, &signer).is_err(), "byte {position} ^ {change:#x}");
        }
    }
}

#[test]
fn a_chunk_cut_anywhere_or_continued_is_refused() {
    let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
    let chunk = sealed(3, &[b"data"], &signer, &key).bytes;
    for end in 0..chunk.len() {
        assert!(accept(&chunk[..end], &signer).is_err(), "cut at {end}");
    }
    let frame = zstd::bulk::compress(b"more", 1).unwrap();
    let skippable = [0x184D_2A50u32.to_le_bytes().as_slice(), &3u32.to_le_bytes(), b"abc"].concat();
    for extra in [b"\n".as_slice(), &frame, &skippable, &chunk] {
        assert_eq!(accept(&[&chunk, extra].concat(), &signer).unwrap_err().rule, Rule::ChunkContainer);
        assert_eq!(
            accept(&[extra, &chunk].concat(), &signer).unwrap_err().rule.id().split_once('.').unwrap().0,
            "chunk"
        );
    }
}

#[test]
fn output_stops_at_the_length_the_manifest_names() {
    let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
    let mut manifest = sealed(3, &[], &signer, &key).manifest;
    // A run of zeros that would decode to 64 MiB, signed as if it were 10 bytes.
    let bomb = zstd::bulk::compress(&vec![0; 4 << 20], 1).unwrap().repeat(16);
    manifest.stored = crate::manifest::Extent::of(&bomb);
    manifest.decoded.length = 10;
    let chunk = with_envelope(bomb, &manifest, &signer);
    assert_eq!(accept(&chunk, &signer).unwrap_err().rule, Rule::ChunkDigest);
    manifest.decoded.length = DECODED_MAX + 1;
    let chunk = with_envelope(zstd::bulk::compress(b"", 1).unwrap(), &manifest, &signer);
    assert_eq!(accept(&chunk, &signer).unwrap_err().rule, Rule::ChunkManifest);
}

#[test]
fn a_standard_zstd_decoder_reads_the_frames() {
    let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
    let chunk = sealed(3, &[b"data"], &signer, &key).bytes;
    let content = zstd::stream::decode_all(chunk.as_slice()).unwrap();
    assert_eq!(Frames::new(&content).count(), 4);
}

#[test]
fn a_chunk_without_events_holds_its_data() {
    let (signer, key) = (P256Key::generate().unwrap(), SessionKey::generate(&SystemEntropy).unwrap());
    let chunk = sealed(0, &[&vec![7; 700_000]], &signer, &key);
    accept(&chunk.bytes, &signer).unwrap();
    assert_eq!((chunk.manifest.first_event, chunk.manifest.last_event, chunk.manifest.data_blocks), (1, 0, 3));
}

fn with_envelope(mut stored: Vec<u8>, manifest: &ChunkManifest, signer: &P256Key) -> Vec<u8> {
    builder::append_envelope(&Envelope::of(manifest, signer).unwrap(), &mut stored).unwrap();
    stored
}
