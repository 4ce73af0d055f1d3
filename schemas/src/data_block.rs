//! Data blocks: protocol bytes as the relay received and sent them, gathered, compressed, then encrypted under the
//! session's data key. Digests and signatures cover the ciphertext, so verifying evidence needs no key.

use crate::entropy::Entropy;
use crate::error::Error;
use crate::identifiers::SessionId;
use crate::sealed::{NONCE_LENGTH, OVERHEAD, SealingKey};
use crate::session_key::DataKey;

/// Who sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client, as the relay received them.
    Frontend,
    /// The target, as the relay released them to the client.
    Backend,
}

/// A piece of one direction's byte stream. Boundaries mean nothing: readers join the pieces of a direction in order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataRecord<'a> {
    /// Who sent them.
    pub direction: Direction,
    /// The relay's clock: microseconds since 1970.
    pub time_us: u64,
    /// Protocol bytes. May hold protected health information.
    pub bytes: &'a [u8],
}

/// Where a data block stands; bound into its encryption, so that a block cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// The chunk's sequence in the session, from 1.
    pub sequence: u64,
    /// The block's position among the data blocks of the chunk, from 0.
    pub block: u64,
}

/// Gathers, compresses and seals records into blocks. One a session: the compressor's memory is used again.
pub struct BlockSealer {
    key: SealingKey,
    compressor: zstd::bulk::Compressor<'static>,
    gathered: Vec<u8>,
    records: u64,
}

/// An opened block.
pub struct OpenedBlock {
    plaintext: Vec<u8>,
}

impl BlockSealer {
    /// A sealer under this key.
    ///
    /// # Errors
    /// [`Error::Machine`] when compressor or provider fail.
    pub fn new(key: &DataKey) -> Result<Self, Error> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|_| COMPRESSION)?;
        Ok(Self { key: SealingKey::new(key.as_bytes())?, compressor, gathered: Vec::new(), records: 0 })
    }

    /// Takes as much of `record` as the block still holds and returns the bytes that must go into the next one.
    pub fn gather<'a>(&mut self, record: &DataRecord<'a>) -> &'a [u8] {
        let room = BLOCK_TARGET.saturating_sub(self.gathered.len().saturating_add(RECORD_HEADER));
        let (now, later) = record.bytes.split_at_checked(room).unwrap_or((record.bytes, &[]));
        let Ok(length) = u32::try_from(now.len()) else { return record.bytes };
        if !now.is_empty() {
            self.gathered.push(record.direction.byte());
            self.gathered.extend_from_slice(&record.time_us.to_be_bytes());
            self.gathered.extend_from_slice(&length.to_be_bytes());
            self.gathered.extend_from_slice(now);
            self.records += 1;
        }
        later
    }

    /// Whether nothing was gathered since the last seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes gathered since the last seal.
    #[must_use]
    pub fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Seals what was gathered as the block at `place`.
    ///
    /// # Errors
    /// [`Error::Machine`] when compressor, entropy or provider fail.
    pub fn seal(&mut self, place: &Place<'_>, entropy: &dyn Entropy) -> Result<Vec<u8>, Error> {
        let room = zstd::zstd_safe::compress_bound(self.gathered.len()).saturating_add(OVERHEAD);
        let mut cursor = std::io::Cursor::new(Vec::with_capacity(room));
        cursor.get_mut().resize(NONCE_LENGTH, 0);
        cursor.set_position(NONCE_LENGTH as u64);
        self.compressor.compress_to_buffer(&self.gathered, &mut cursor).map_err(|_| COMPRESSION)?;
        let mut sealed = cursor.into_inner();
        self.gathered.clear();
        self.records = 0;
        self.key.seal(&mut sealed, &place.bytes(), entropy)?;
        Ok(sealed)
    }
}

impl OpenedBlock {
    /// Opens the sealed block that stands at `place`.
    ///
    /// # Errors
    /// [`Error::Sealed`] under another key or at another place; [`Error::Malformed`] when its content is no block.
    pub fn open(sealed: &[u8], key: &DataKey, place: &Place<'_>) -> Result<Self, Error> {
        let compressed = SealingKey::new(key.as_bytes())?.open("data block", sealed, &place.bytes())?;
        let plaintext = zstd::bulk::decompress(&compressed, BLOCK_MAX).map_err(|_| MALFORMED)?;
        let block = Self { plaintext };
        block.records().try_for_each(|record| record.map(|_| ()))?;
        Ok(block)
    }

    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = Result<DataRecord<'_>, Error>> {
        let mut rest = self.plaintext.as_slice();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let read = read_record(rest);
            rest = read.as_ref().map_or(&[], |(_, rest)| rest);
            Some(read.map(|(record, _)| record))
        })
    }
}

fn read_record(bytes: &[u8]) -> Result<(DataRecord<'_>, &[u8]), Error> {
    let (direction, rest) = bytes.split_first().ok_or(MALFORMED)?;
    let (time_us, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
    let (length, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| MALFORMED)?;
    let (bytes, rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
    let direction = Direction::of_byte(*direction)?;
    Ok((DataRecord { direction, time_us: u64::from_be_bytes(*time_us), bytes }, rest))
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"affidavit/data-block/v1\0".to_vec();
        bytes.extend_from_slice(self.session.to_string().as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.block.to_be_bytes());
        bytes
    }
}

impl Direction {
    fn byte(self) -> u8 {
        match self {
            Self::Frontend => b'F',
            Self::Backend => b'B',
        }
    }

    fn of_byte(byte: u8) -> Result<Self, Error> {
        match byte {
            b'F' => Ok(Self::Frontend),
            b'B' => Ok(Self::Backend),
            _ => Err(MALFORMED),
        }
    }
}

impl std::fmt::Debug for DataRecord<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataRecord({:?}, {} us, {} bytes)", self.direction, self.time_us, self.bytes.len())
    }
}

impl std::fmt::Debug for BlockSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockSealer({} bytes gathered)", self.gathered.len())
    }
}

impl std::fmt::Debug for OpenedBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenedBlock({} bytes)", self.plaintext.len())
    }
}

/// Uncompressed bytes of a block that is full: large enough for zstd's full speed and ratio, small enough to keep a
/// session's memory low.
pub const BLOCK_TARGET: usize = 256 * 1024;
/// Uncompressed bytes a reader accepts: four times what this version writes.
pub const BLOCK_MAX: usize = 1024 * 1024;
/// Direction, time, length.
const RECORD_HEADER: usize = 1 + 8 + 4;
/// Level 3 gives no better ratio on protocol bytes and a third less speed (rule 26).
const LEVEL: i32 = 1;
const COMPRESSION: Error = Error::Machine("compression");
const MALFORMED: Error = Error::Malformed { what: "data block", expected: "zstd of whole records" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::session_key::SessionKey;

    fn session() -> SessionId {
        "0123456789abcdef0123456789abcdef-0000000001".parse().unwrap()
    }

    fn sealed_hello(key: &DataKey, session: &SessionId) -> Vec<u8> {
        let mut sealer = BlockSealer::new(key).unwrap();
        let record = DataRecord { direction: Direction::Frontend, time_us: 5, bytes: b"hello" };
        assert!(sealer.gather(&record).is_empty());
        sealer.seal(&Place { session, sequence: 1, block: 0 }, &SystemEntropy).unwrap()
    }

    #[test]
    fn a_block_opens_only_where_it_stood_and_with_its_key() {
        let (session, key) = (session(), SessionKey::from_bytes([1; 32]).data_key().unwrap());
        let sealed = sealed_hello(&key, &session);
        let place = Place { session: &session, sequence: 1, block: 0 };
        let opened = OpenedBlock::open(&sealed, &key, &place).unwrap();
        let records: Vec<_> = opened.records().map(Result::unwrap).collect();
        assert_eq!(records, [DataRecord { direction: Direction::Frontend, time_us: 5, bytes: b"hello" }]);

        let other_key = SessionKey::from_bytes([2; 32]).data_key().unwrap();
        assert!(OpenedBlock::open(&sealed, &other_key, &place).is_err());
        assert!(OpenedBlock::open(&sealed, &key, &Place { block: 1, ..place }).is_err());
        assert!(OpenedBlock::open(&sealed, &key, &Place { sequence: 2, ..place }).is_err());
        let mut flipped = sealed.clone();
        flipped[20] ^= 1;
        assert!(OpenedBlock::open(&flipped, &key, &place).is_err());
        assert!(OpenedBlock::open(&sealed[..11], &key, &place).is_err());
    }

    #[test]
    fn a_record_larger_than_a_block_is_continued_in_the_next() {
        let (session, key) = (session(), SessionKey::from_bytes([1; 32]).data_key().unwrap());
        let bytes: Vec<u8> = (0..600_000u32).flat_map(|n| n.to_be_bytes()).collect();
        let mut sealer = BlockSealer::new(&key).unwrap();
        let (mut rest, mut joined, mut block) = (bytes.as_slice(), Vec::new(), 0);
        while !rest.is_empty() {
            rest = sealer.gather(&DataRecord { direction: Direction::Backend, time_us: 1, bytes: rest });
            let place = Place { session: &session, sequence: 3, block };
            let sealed = sealer.seal(&place, &SystemEntropy).unwrap();
            for record in OpenedBlock::open(&sealed, &key, &place).unwrap().records() {
                joined.extend_from_slice(record.unwrap().bytes);
            }
            block += 1;
        }
        assert!(joined == bytes && block > 1);
    }

    #[test]
    fn debug_shows_lengths_and_never_bytes() {
        let record = DataRecord { direction: Direction::Backend, time_us: 1, bytes: b"secret" };
        assert_eq!(format!("{record:?}"), "DataRecord(Backend, 1 us, 6 bytes)");
    }
}
