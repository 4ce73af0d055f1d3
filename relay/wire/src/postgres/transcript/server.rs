//! What the server knows by name: prepared statements and portals.

use super::entry::Parameter;
use super::gathered::Column;
use super::request::{Binding, Request};
use super::values::render;
use crate::postgres::format::Format;
use crate::postgres::frontend::Target;
use std::collections::BTreeMap;

/// Statements and portals, as far as the recording has shown the server take them.
#[derive(Debug, Default)]
pub(super) struct Server {
    statements: BTreeMap<String, Statement>,
    portals: BTreeMap<String, Portal>,
}

#[derive(Debug, Clone, Default)]
struct Statement {
    text: Option<String>,
    types: Vec<u32>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Portal {
    /// As it was when it was bound: its name may mean another statement since.
    statement: Statement,
    binding: Binding,
    /// From `Describe` of the portal, formats included.
    columns: Option<Vec<Column>>,
}

impl Server {
    /// The server said that it did this.
    pub(super) fn took(&mut self, request: &Request) {
        match request {
            Request::Parse { name, text, types, .. } => {
                let statement = Statement { text: Some(text.clone()), types: types.clone(), columns: Vec::new() };
                self.statements.insert(name.clone(), statement);
            }
            Request::Bind(binding) => {
                let statement = self.statements.get(&binding.statement).cloned().unwrap_or_default();
                let portal = Portal { statement, binding: binding.clone(), columns: None };
                self.portals.insert(binding.portal.clone(), portal);
            }
            Request::Close { target: Target::Statement, name } => {
                self.statements.remove(name);
            }
            Request::Close { target: Target::Portal, name } => {
                self.portals.remove(name);
            }
            _ => {}
        }
    }

    pub(super) fn described_parameters(&mut self, request: Option<&Request>, types: &[u32]) {
        if let Some(Request::Describe { target: Target::Statement, name }) = request {
            self.statements.entry(name.clone()).or_default().types = types.to_vec();
        }
    }

    /// False if the columns are those of rows that follow, and of nothing with a name.
    pub(super) fn described_columns(&mut self, request: Option<&Request>, columns: &[Column]) -> bool {
        match request {
            Some(Request::Describe { target: Target::Statement, name }) => {
                self.statements.entry(name.clone()).or_default().columns = columns.to_vec();
            }
            Some(Request::Describe { target: Target::Portal, name }) => {
                if let Some(portal) = self.portals.get_mut(name) {
                    portal.columns = Some(columns.to_vec());
                }
            }
            _ => return false,
        }
        true
    }

    /// Columns of the rows that executing this portal returns, as far as known.
    pub(super) fn columns_of(&self, portal: &str) -> Vec<Column> {
        let Some(portal) = self.portals.get(portal) else { return Vec::new() };
        let formats = &portal.binding.result_formats;
        match &portal.columns {
            Some(columns) => columns.clone(),
            None if portal.statement.columns.is_empty() => {
                // Never described: at least the formats are known.
                (0..formats.len()).map(|index| Column::unknown(index, Format::of(formats, index))).collect()
            }
            None => {
                let with_format =
                    |(index, column): (usize, &Column)| Column { format: Format::of(formats, index), ..column.clone() };
                portal.statement.columns.iter().enumerate().map(with_format).collect()
            }
        }
    }

    /// Text and parameters of what a portal runs.
    pub(super) fn executed(&self, portal: &str) -> (Option<String>, Vec<Parameter>) {
        let Some(portal) = self.portals.get(portal) else { return (None, Vec::new()) };
        (portal.statement.text.clone(), parameters(&portal.statement, &portal.binding))
    }

    /// Text and parameters of what a `Bind` asks for.
    pub(super) fn bound(&self, binding: &Binding) -> (Option<String>, Vec<Parameter>) {
        match self.statements.get(&binding.statement) {
            Some(statement) => (statement.text.clone(), parameters(statement, binding)),
            None => (None, parameters(&Statement::default(), binding)),
        }
    }
}

fn parameters(statement: &Statement, binding: &Binding) -> Vec<Parameter> {
    let parameter = |(index, (format, value)): (usize, &(Format, Option<Vec<u8>>))| {
        let type_oid = statement.types.get(index).copied().unwrap_or(0);
        Parameter { type_oid, value: value.as_deref().map(|value| render(type_oid, *format, value)) }
    };
    binding.parameters.iter().enumerate().map(parameter).collect()
}
