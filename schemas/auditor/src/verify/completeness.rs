//! How whole the evidence of each incarnation is, and until when.

use std::io::{self, Write};

use schemas::instant::rfc3339;
use schemas::verify::{IncarnationReport, Retirement};

use crate::names::count;

pub(super) fn print(life: &IncarnationReport, out: &mut dyn Write) -> io::Result<()> {
    let (scope, time) = (&life.scope, |time: Option<u64>| time.map_or("?".to_owned(), rfc3339));
    let ended = match life.retirement {
        Retirement::Retired => "retired",
        Retirement::Recovered => "died and was recovered",
        Retirement::Abandoned => "abandoned",
        Retirement::Unretired => "running",
    };
    let whole = if life.gaps.is_empty() { "complete" } else { "INCOMPLETE" };
    write!(
        out,
        "relay {}/{}/{} incarnation {} {ended}, ",
        scope.tenant, scope.environment, scope.relay, life.incarnation
    )?;
    match life.complete_until_us {
        Some(until) => write!(out, "{whole} from {} until {}", time(life.started_us), rfc3339(until))?,
        None => write!(out, "without a heartbeat: nothing shows how complete it is")?,
    }
    writeln!(out, ", counter {}, {}", life.last_counter, count(life.heartbeats, "heartbeat"))?;
    if let Some(size) = life.revoked_from {
        let void = count(life.void, "statement");
        writeln!(out, "  REVOKED what it signed stands in the first {size} entries of its log; {void} of it are void")?;
    }
    life.gaps.iter().try_for_each(|gap| writeln!(out, "  INCOMPLETE {gap}"))
}
