use super::*;
use proptest::prelude::*;

/// OID, binary form, text form: what PostgreSQL 15 gives for both, in UTC and ISO date style.
const BY_POSTGRESQL: &[(u32, &str, &str)] = &[
    (16, "01", "t"),
    (16, "00", "f"),
    (21, "8000", "-32768"),
    (23, "ffffffff", "-1"),
    (20, "7fffffffffffffff", "9223372036854775807"),
    (26, "ffffffff", "4294967295"),
    (700, "3f8ccccd", "1.1"),
    (700, "60ad78ec", "1e+20"),
    (700, "80000000", "-0"),
    (701, "3fb999999999999a", "0.1"),
    (701, "3e7ad7f29abcaf48", "1e-07"),
    (701, "437b69b4ba630f35", "1.2345678901234568e+17"),
    (701, "3f1a36e2eb1c432d", "0.0001"),
    (701, "c30c6bf526340000", "-1e+15"),
    (701, "42d6bcc41e900000", "100000000000000"),
    (701, "0000000000000001", "5e-324"),
    (701, "7ff8000000000000", "NaN"),
    (701, "fff0000000000000", "-Infinity"),
    (1700, "0000000000000000", "0"),
    (1700, "0000000000000002", "0.00"),
    (1700, "0003000140000004000109291a85", "-12345.6789"),
    (1700, "00010005000000000001", "100000000000000000000"),
    (1700, "0001fffe0000000604b0", "0.000012"),
    (1700, "00010001000000000001", "10000"),
    (1700, "0003000100000001270f270f1388", "99999999.5"),
    (1700, "00000000c0000000", "NaN"),
    (1700, "00000000f0000020", "-Infinity"),
    (1700, "00030001000000020078000003e8", "1200000.10"),
    (1082, "00000000", "2000-01-01"),
    (1082, "ffffffff", "1999-12-31"),
    (1082, "00002279", "2024-02-29"),
    (1082, "ffff718f", "1900-03-01"),
    (1082, "fff4dbf9", "0001-01-01"),
    (1082, "fff4dbf8", "0001-12-31 BC"),
    (1082, "ffda97cd", "4713-01-01 BC"),
    (1082, "7fda970c", "5874897-12-31"),
    (1082, "7fffffff", "infinity"),
    (1083, "0000000000000000", "00:00:00"),
    (1083, "000000141dd76000", "24:00:00"),
    (1083, "0000000bbc03b63b", "13:59:59.000123"),
    (1083, "00000000ddf019e0", "01:02:03.5"),
    (1114, "000303bbbfb59c90", "2026-11-20 22:44:00.25"),
    (1114, "fffca2fec4c81fff", "1969-12-31 23:59:59.999999"),
    (1114, "ff1af9e8fb46d000", "0044-03-15 12:00:00 BC"),
    (1114, "8000000000000000", "-infinity"),
    (1184, "000303bae91e2800", "2026-11-20 21:44:00+00"),
    (1184, "7fffffffffffffff", "infinity"),
    (1184, "ff1af9e8fb46d000", "0044-03-15 12:00:00+00 BC"),
    (1186, "00000000000000000000000000000000", "00:00:00"),
    (1186, "000000036c966ee0000000030000000e", "1 year 2 mons 3 days 04:05:06.7"),
    (1186, "00000000000000000000000100000000", "1 day"),
    (1186, "fffffffffaa2b5800000000000000000", "-00:01:30"),
    (1186, "0000000000000000000000000000000e", "1 year 2 mons"),
    (1186, "00000053d1ac10000000000000000000", "100:00:00"),
    (2950, "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"),
    (3802, "017b2261223a205b312c206e756c6c5d7d", "{\"a\": [1, null]}"),
    (25, "6772c3b6c39f65", "größe"),
    (17, "00ff", "\\x00ff"),
    (18, "78", "x"),
    (1007, "00000001000000010000001700000003000000010000000400000001ffffffff00000004fffffffd", "{1,NULL,-3}"),
    (1007, "000000000000000000000017", "{}"),
    (
        1007,
        "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004000000030000000400000004",
        "{{1,2},{3,4}}",
    ),
    (
        1009,
        "0000000100000000000000190000000600000001000000016100000003622063000000046e756c6c0000000000000003785c7900000003712272",
        "{a,\"b c\",\"null\",\"\",\"x\\\\y\",\"q\\\"r\"}",
    ),
    (1182, "00000001000000000000043a00000001000000010000000400000000", "{2000-01-01}"),
    (
        1231,
        "0000000100000000000006a400000002000000010000000c0002000000000002000113880000000a00010000000000000002",
        "{1.50,2}",
    ),
];

#[test]
fn binary_values_read_as_postgresql_writes_them() {
    for (type_oid, binary, text) in BY_POSTGRESQL {
        assert_eq!(render(*type_oid, Format::Binary, &bytes(binary)), *text, "type {type_oid}, {binary}");
    }
}

#[test]
fn what_does_not_fit_its_type_is_shown_in_hexadecimal() {
    assert_eq!(render(23, Format::Binary, &[1, 2, 3]), "\\x010203");
    assert_eq!(render(600, Format::Binary, &[0xab]), "\\xab");
    assert_eq!(render(16, Format::Binary, &[2]), "\\x02");
    assert_eq!(render(25, Format::Binary, &[0xff]), "\\xff");
    assert_eq!(render(23, Format::Text, b"12"), "12");
    assert_eq!(type_name(1184), Some("timestamptz"));
    assert_eq!(type_name(1007), Some("int4[]"));
    assert_eq!(type_name(4), None);
}

proptest! {
    #[test]
    fn any_bytes_of_any_type_become_some_text(
        index in 0..TYPES.len(),
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for type_oid in [TYPES[index].0, 1007] {
            prop_assert!(render(type_oid, Format::Binary, &value).len() < 2_100);
        }
        let longest = render(1700, Format::Binary, &value);
        prop_assert!(longest.len() < 2_100);
    }

    #[test]
    fn an_array_cannot_be_blown_up_by_its_dimensions(lengths in prop::collection::vec(any::<u32>(), 0..8)) {
        let mut value = Vec::new();
        for word in [u32::try_from(lengths.len()).unwrap(), 0, 23] {
            value.extend_from_slice(&word.to_be_bytes());
        }
        for length in lengths {
            value.extend_from_slice(&length.to_be_bytes());
            value.extend_from_slice(&1_u32.to_be_bytes());
        }
        prop_assert!(render(1007, Format::Binary, &value).len() < 200);
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<char> = hexadecimal.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
