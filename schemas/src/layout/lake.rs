//! Keys of the lake: files of tables, drawn from evidence and no evidence themselves.

use crate::identifiers::SessionId;
use crate::instant;
use crate::tables::Table;

/// `tables/1/<table>/day=<day>/<session>.parquet`: the rows of one session, in the partition of the day (UTC) on which it
/// was opened; nothing for a time that lies on no day with a year of four digits. `infra/modules/pipeline/lake.tf` reads
/// there.
#[must_use]
pub fn lake_file(table: Table, session: &SessionId, opened_us: u64) -> Option<String> {
    let day = instant::day(opened_us)?;
    Some(format!("tables/{LAKE_FORMAT}/{table}/day={day}/{session}.parquet"))
}

/// Of the tables' columns and of where their files stand.
const LAKE_FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_in_the_partition_of_the_day_its_session_was_opened() {
        let session: SessionId = "c2a35b2d82043f03310e1d0c0bca33a1-0000000003".parse().unwrap();
        assert_eq!(
            lake_file(Table::ObjectsTouched, &session, 1_790_000_030_000_000).unwrap(),
            "tables/1/objects_touched/day=2026-09-21/c2a35b2d82043f03310e1d0c0bca33a1-0000000003.parquet"
        );
        assert_eq!(lake_file(Table::Sessions, &session, u64::MAX), None);
    }
}
