//! The structs of a Parquet file that have lengths in them: fields and types of apache/parquet-format, "parquet.thrift", as
//! far as tables of bundles use them. Encryption and geospatial types are left out.

use super::thrift::Form::{self, Binary, Bool, Byte, I16, I32, I64, List, Struct};

/// `FileMetaData`.
pub(super) const FOOTER: Form = Struct(&[
    (1, I32),
    (2, List(&SCHEMA_ELEMENT)),
    (3, I64),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&COLUMN_ORDER)),
]);

/// `PageHeader`.
pub(super) const PAGE_HEADER: Form = Struct(&[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, I32),
    (5, Struct(&[(1, I32), (2, I32), (3, I32), (4, I32), (5, STATISTICS)])),
    (6, EMPTY),
    (7, Struct(&[(1, I32), (2, I32), (3, Bool)])),
    (8, Struct(&[(1, I32), (2, I32), (3, I32), (4, I32), (5, I32), (6, I32), (7, Bool), (8, STATISTICS)])),
]);

const SCHEMA_ELEMENT: Form = Struct(&[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, Binary),
    (5, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, LOGICAL_TYPE),
]);

/// A union: a struct of which one field is there.
const LOGICAL_TYPE: Form = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, EMPTY),
    (7, Struct(&[(1, Bool), (2, TIME_UNIT)])),
    (8, Struct(&[(1, Bool), (2, TIME_UNIT)])),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
]);
const TIME_UNIT: Form = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const COLUMN_ORDER: Form = Struct(&[(1, EMPTY), (2, EMPTY)]);
const EMPTY: Form = Struct(&[]);
const KEY_VALUE: Form = Struct(&[(1, Binary), (2, Binary)]);

const ROW_GROUP: Form = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]))),
    (5, I64),
    (6, I64),
    (7, I16),
]);

const COLUMN_CHUNK: Form =
    Struct(&[(1, Binary), (2, I64), (3, COLUMN_META_DATA), (4, I64), (5, I32), (6, I64), (7, I32)]);

const COLUMN_META_DATA: Form = Struct(&[
    (1, I32),
    (2, List(&I32)),
    (3, List(&Binary)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&KEY_VALUE)),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, STATISTICS),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
]);

const STATISTICS: Form =
    Struct(&[(1, Binary), (2, Binary), (3, I64), (4, I64), (5, Binary), (6, Binary), (7, Bool), (8, Bool), (9, I64)]);
