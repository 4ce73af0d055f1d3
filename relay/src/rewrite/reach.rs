//! What reaches other sessions: notifications, and signals that cancel or end them.
//!
//! What a notification says its author wrote, and nothing masks it: a trigger can put stored values into one. So listening is
//! for whom policy lets hear whatever others say, and what a session says itself is a constant or a parameter.

use pg_query::NodeEnum;
use pg_query::protobuf::Node;
use schemas::event::Touched;

use super::outcome::Effects;
use super::rewriter::{Rewriter, called};
use super::settings;
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// `LISTEN`, `NOTIFY`.
    pub(super) fn notification(&mut self) -> Result<Effects, Refusal> {
        let grant = self.access.notify.clone();
        self.require(&grant, "notify", "notifications on", "this connection").map(|()| Effects::default())
    }

    /// Whether a call is one of these functions, and may be made.
    pub(super) fn reaching_call(&mut self, function: &str, args: &[Node]) -> Result<bool, Refusal> {
        let action = match function {
            "pg_notify" => {
                let given =
                    |arg: &Node| matches!(arg.node, Some(NodeEnum::ParamRef(_))) || settings::constant(arg).is_some();
                if !args.iter().all(given) {
                    return Err(Refusal::unsupported(
                        "pg_notify takes plain constants and parameters through the relay",
                    ));
                }
                self.notification()?;
                "notify"
            }
            "pg_cancel_backend" | "pg_terminate_backend" => {
                let grant = self.access.signal.clone();
                self.require(&grant, "signal", "signals to other sessions on", "this connection")?;
                "signal"
            }
            _ => return Ok(false),
        };
        let object = called("pg_catalog", function);
        let touched =
            Touched { object: object.clone(), action: action.to_owned(), masked: Vec::new(), revealed: Vec::new() };
        self.found.touched.insert((object, action), touched);
        Ok(true)
    }
}
