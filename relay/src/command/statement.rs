//! How a statement is shown to whoever looks at it in a terminal: approvers, and whoever asks what would run.

use std::io::Write;

use schemas::visible;

/// An object that a statement touches.
pub(super) struct Touch<'a> {
    pub(super) verb: &'a str,
    pub(super) object: &'a str,
    pub(super) held: bool,
    /// Columns that get masks in place of values.
    pub(super) from_masks: &'a [String],
}

pub(super) fn show_target(target: &str, role: &str, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(out, "Target:     {} as {}", visible::line(target), visible::line(role))
}

pub(super) fn show_touched<'a>(
    touches: impl Iterator<Item = Touch<'a>>,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    for touch in touches {
        let held = if touch.held { " (held)" } else { "" };
        writeln!(out, "Touches:    {} {}{held}", visible::line(touch.verb), visible::line(touch.object))?;
        if !touch.from_masks.is_empty() {
            let (count, columns) = (touch.from_masks.len(), touch.from_masks.join(", "));
            writeln!(
                out,
                "            protected columns set from masked values, {count}: {}",
                visible::line(&columns)
            )?;
        }
    }
    Ok(())
}

pub(super) fn show_text(text: &str, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(out, "Exactly this would run; it binds the statement, not today's rows:\n")?;
    for line in text.split('\n') {
        writeln!(out, "    {}", visible::text(line))?;
    }
    Ok(())
}
