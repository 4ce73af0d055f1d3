//! How long each message may be. Checked as soon as the five bytes of a header are there, before anything is kept
//! or reserved for the rest. Lengths count themselves (4 bytes) and not the type byte, as on the wire.

/// Longest startup packet: PostgreSQL's own `MAX_STARTUP_PACKET_LENGTH`.
pub const STARTUP_MAX: u32 = 10_000;

/// Messages that carry a name or a number at most: PostgreSQL's own `PQ_SMALL_MESSAGE_LIMIT` for them.
pub const SMALL_MAX: u32 = 10_000;

/// Password and SASL messages: PostgreSQL's own `PG_MAX_AUTH_TOKEN_LENGTH`; identity tokens with many groups fit.
pub const PASSWORD_MAX: u32 = 65_535;

/// Any other frontend message. PostgreSQL takes 1 GiB. A statement is parsed, rewritten and recorded whole, so it
/// must fit memory some times over for every session at once; bulk data comes in `CopyData`, which drivers cut
/// to 8 KiB to 64 KiB.
pub const FRONTEND_MAX: u32 = 16 << 20;

/// Any other backend message. PostgreSQL may send 1 GiB; a row is recorded whole before it is released.
pub const BACKEND_MAX: u32 = 64 << 20;

/// Rows and COPY data that are passed on in pieces: what PostgreSQL sends and takes (`MaxAllocSize`), and with it every
/// value that it can hold.
pub const PIECEMEAL_MAX: u32 = 0x3fff_ffff;

/// Descriptions of a result: at most 1,664 columns, each a name of at most 63 bytes and 19 more, is 138 kB.
/// Servers built with longer names get room.
pub const DESCRIPTION_MAX: u32 = 1 << 20;

/// Two bytes or four for each of at most 65,535 parameters or columns, and a little head.
pub const FORMATS_MAX: u32 = 4 * 65_535 + 16;

/// A setting and its value; PostgreSQL reports `search_path` among them, which people make long.
pub const PARAMETER_STATUS_MAX: u32 = 1 << 20;

/// A channel (63 bytes) and a payload (below 8,000 bytes) from `NOTIFY`.
pub const NOTIFICATION_MAX: u32 = 16_384;

/// A command tag: PostgreSQL's own `COMPLETION_TAG_BUFSIZE` is 64; extensions may be more talkative.
pub const COMMAND_TAG_MAX: u32 = 1_024;

/// Longest secret key of `BackendKeyData` and `CancelRequest`: 256 bytes since protocol 3.2, 4 before.
pub const CANCEL_SECRET_MAX: usize = 256;

/// Shortest secret key.
pub const CANCEL_SECRET_MIN: usize = 4;

/// A message type's name and allowed lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Name in the PostgreSQL documentation; `Password` stands for all that share the type `p`.
    pub name: &'static str,
    /// Smallest stated length, in bytes.
    pub minimum: u32,
    /// Largest stated length, in bytes.
    pub maximum: u32,
}

/// Bounds of the frontend's message types.
#[must_use]
pub fn frontend(tag: u8) -> Option<Bounds> {
    Some(match tag {
        b'B' => bounds("Bind", 12, FRONTEND_MAX),
        b'C' => bounds("Close", 6, SMALL_MAX),
        b'D' => bounds("Describe", 6, SMALL_MAX),
        b'E' => bounds("Execute", 9, SMALL_MAX),
        b'F' => bounds("FunctionCall", 14, FRONTEND_MAX),
        b'H' => exactly("Flush", 4),
        b'P' => bounds("Parse", 8, FRONTEND_MAX),
        b'Q' => bounds("Query", 5, FRONTEND_MAX),
        b'S' => exactly("Sync", 4),
        b'X' => exactly("Terminate", 4),
        b'c' => exactly("CopyDone", 4),
        b'd' => bounds("CopyData", 4, FRONTEND_MAX),
        b'f' => bounds("CopyFail", 5, SMALL_MAX),
        b'p' => bounds("Password", 4, PASSWORD_MAX),
        _ => return None,
    })
}

/// Bounds of the backend's message types.
#[must_use]
pub fn backend(tag: u8) -> Option<Bounds> {
    Some(match tag {
        b'1' => exactly("ParseComplete", 4),
        b'2' => exactly("BindComplete", 4),
        b'3' => exactly("CloseComplete", 4),
        b'A' => bounds("NotificationResponse", 10, NOTIFICATION_MAX),
        b'C' => bounds("CommandComplete", 5, COMMAND_TAG_MAX),
        b'D' => bounds("DataRow", 6, BACKEND_MAX),
        b'E' => bounds("ErrorResponse", 5, BACKEND_MAX),
        b'G' => bounds("CopyInResponse", 7, FORMATS_MAX),
        b'H' => bounds("CopyOutResponse", 7, FORMATS_MAX),
        b'I' => exactly("EmptyQueryResponse", 4),
        b'K' => bounds("BackendKeyData", 12, 8 + 256),
        b'N' => bounds("NoticeResponse", 5, BACKEND_MAX),
        b'R' => bounds("Authentication", 8, PASSWORD_MAX),
        b'S' => bounds("ParameterStatus", 6, PARAMETER_STATUS_MAX),
        b'T' => bounds("RowDescription", 6, DESCRIPTION_MAX),
        b'V' => bounds("FunctionCallResponse", 8, BACKEND_MAX),
        b'W' => bounds("CopyBothResponse", 7, FORMATS_MAX),
        b'Z' => exactly("ReadyForQuery", 5),
        b'c' => exactly("CopyDone", 4),
        b'd' => bounds("CopyData", 4, BACKEND_MAX),
        b'n' => exactly("NoData", 4),
        b's' => exactly("PortalSuspended", 4),
        b't' => bounds("ParameterDescription", 6, FORMATS_MAX),
        b'v' => bounds("NegotiateProtocolVersion", 12, STARTUP_MAX),
        _ => return None,
    })
}

const fn bounds(name: &'static str, minimum: u32, maximum: u32) -> Bounds {
    Bounds { name, minimum, maximum }
}

const fn exactly(name: &'static str, length: u32) -> Bounds {
    bounds(name, length, length)
}
