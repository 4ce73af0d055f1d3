//! What was asked, kept until it is answered.

use super::entry::Entry;
use super::server::Server;
use crate::postgres::format::Format;
use crate::postgres::frontend::{FrontendMessage, Target};

/// One request.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Query { text: String, told: bool },
    Parse { name: String, text: String, types: Vec<u32>, told: bool },
    Bind(Binding),
    Describe { target: Target, name: String },
    Execute { portal: String, max_rows: i32, told: bool },
    Close { target: Target, name: String },
    FunctionCall { function: u32, arguments: usize, told: bool },
}

/// What a `Bind` asks for.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) parameters: Vec<(Format, Option<Vec<u8>>)>,
    pub(super) result_formats: Vec<Format>,
}

impl Request {
    /// `None` for messages that are not told by themselves.
    pub(super) fn of(message: &FrontendMessage<'_>) -> Option<Self> {
        Some(match message {
            FrontendMessage::Query { text } => Self::Query { text: (*text).to_owned(), told: false },
            FrontendMessage::Parse { name, query, parameter_types } => Self::Parse {
                name: (*name).to_owned(),
                text: (*query).to_owned(),
                types: parameter_types.clone(),
                told: false,
            },
            FrontendMessage::Bind(bind) => Self::Bind(Binding {
                portal: bind.portal.to_owned(),
                statement: bind.statement.to_owned(),
                parameters: (0..)
                    .zip(&bind.parameters)
                    .map(|(index, value)| (bind.parameter_format(index), value.map(<[u8]>::to_vec)))
                    .collect(),
                result_formats: bind.result_formats.clone(),
            }),
            FrontendMessage::Describe { target, name } => Self::Describe { target: *target, name: (*name).to_owned() },
            FrontendMessage::Execute { portal, max_rows } => {
                Self::Execute { portal: (*portal).to_owned(), max_rows: *max_rows, told: false }
            }
            FrontendMessage::Close { target, name } => Self::Close { target: *target, name: (*name).to_owned() },
            FrontendMessage::FunctionCall(call) => {
                Self::FunctionCall { function: call.function, arguments: call.arguments.len(), told: false }
            }
            _ => return None,
        })
    }

    /// What to tell when its answer begins; nothing the second time, and nothing for a `Bind` that succeeded.
    pub(super) fn announce(&mut self, server: &Server, failed: bool) -> Option<Entry> {
        let entry = match self {
            Self::Bind(_) if !failed => None,
            _ => self.summary(server).map(|entry| *entry),
        };
        if let Self::Query { told, .. }
        | Self::Parse { told, .. }
        | Self::Execute { told, .. }
        | Self::FunctionCall { told, .. } = self
            && std::mem::replace(told, true)
        {
            return None;
        }
        entry
    }

    /// It, as the server would have understood it now.
    pub(super) fn summary(&self, server: &Server) -> Option<Box<Entry>> {
        Some(Box::new(match self {
            Self::Query { text, .. } => Entry::Query { text: text.clone() },
            Self::Parse { name, text, .. } => Entry::Prepare { name: name.clone(), text: text.clone() },
            Self::Bind(binding) => {
                let (text, parameters) = server.bound(binding);
                Entry::Bind { statement: binding.statement.clone(), text, parameters }
            }
            Self::Execute { portal, max_rows, .. } => {
                let (text, parameters) = server.executed(portal);
                let max_rows = (*max_rows > 0).then_some(*max_rows);
                Entry::Execute { portal: portal.clone(), text, parameters, max_rows }
            }
            Self::FunctionCall { function, arguments, .. } => {
                Entry::FunctionCall { function: *function, arguments: *arguments }
            }
            Self::Describe { .. } | Self::Close { .. } => return None,
        }))
    }
}
