//! Reads objects and writes down findings; what every check is given.

use std::collections::BTreeMap;

use super::ahead::{Ahead, Found};
use super::completeness::Running;
use super::log::Statements;
use super::report::{Finding, Report};
use super::{Observer, Options, Source};
use crate::chunk::OpenedChunk;
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::identifiers::{Incarnation, Name};
use crate::key_certificate::KeyCertificate;
use crate::layout::Scope;
use crate::rule::{Rule, Severity, Violation};

pub(super) struct Examiner<'a> {
    source: &'a dyn Source,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) options: Options,
    pub(super) report: Report,
    pub(super) statements: Statements,
    pub(super) ahead: Ahead,
    /// The incarnation that is being checked, if it retired by itself.
    pub(super) retired: Option<Incarnation>,
    /// Keys that the root certified.
    pub(super) trusted: Vec<KeyCertificate>,
    /// Incarnations that have not ended.
    pub(super) running: Vec<Running>,
    /// By tenant and environment: the newest time that a relay signed.
    latest: BTreeMap<(Name, Name), u64>,
    errors: u64,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(source: &'a dyn Source, options: Options, observer: &'a mut dyn Observer) -> Self {
        let (report, statements) = (Report::default(), Statements::default());
        Self {
            source,
            observer,
            options,
            report,
            statements,
            ahead: Ahead::default(),
            retired: None,
            trusted: Vec::new(),
            running: Vec::new(),
            latest: BTreeMap::new(),
            errors: 0,
        }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }

    /// The statement that was read last holds: a relay signed it at this time.
    pub(super) fn hold(&mut self, scope: &Scope, time_us: u64) {
        self.statements.hold(time_us);
        let latest = self.latest.entry((scope.tenant.clone(), scope.environment.clone())).or_default();
        *latest = (*latest).max(time_us);
    }

    /// The newest time that a relay of this one's environment signed, microseconds since 1970.
    pub(super) fn latest_us(&self, scope: &Scope) -> u64 {
        self.latest.get(&(scope.tenant.clone(), scope.environment.clone())).copied().unwrap_or(0)
    }

    /// Findings of severity error so far.
    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    pub(super) fn find(&mut self, object: &str, rule: Rule, message: impl Into<String>) {
        let severity = rule.severity();
        self.errors += u64::from(severity == Severity::Error);
        self.report.findings.push(Finding { object: object.to_owned(), rule, severity, message: message.into() });
    }

    pub(super) fn note(&mut self, object: &str, violation: Violation) {
        self.find(object, violation.rule, violation.message);
    }

    pub(super) fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// The chunk and its length as stored, if it was read ahead and holds by itself.
    pub(super) fn take_chunk(&mut self, key: &str) -> Option<(OpenedChunk, usize)> {
        let Found::Chunk(opened, stored) = self.ahead.take(key) else { return None };
        self.report.checked.objects += 1;
        Some((*opened, stored))
    }

    /// The object's bytes, or a finding.
    pub(super) fn read(&mut self, key: &str, limit: u64) -> Option<Vec<u8>> {
        self.report.checked.objects += 1;
        match self.source.get(key, limit) {
            Ok(bytes) if bytes.len() as u64 <= limit => Some(bytes),
            Ok(_) => {
                self.find(key, Rule::ObjectRead, format!("longer than {limit} bytes"));
                None
            }
            Err(error) => {
                self.find(key, Rule::ObjectRead, format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// The bytes of an object that is no evidence, if it can be read.
    pub(super) fn peek(&mut self, key: &str, limit: u64) -> Option<Vec<u8>> {
        self.report.checked.objects += 1;
        self.source.get(key, limit).ok().filter(|bytes| bytes.len() as u64 <= limit)
    }

    /// The object as an envelope, or a finding.
    pub(super) fn read_envelope(&mut self, key: &str) -> Option<Envelope> {
        if let Found::Statement(envelope) = self.ahead.take(key) {
            self.report.checked.objects += 1;
            self.statements.note(key, &envelope);
            return Some(envelope);
        }
        let bytes = self.read(key, ENVELOPE_MAX as u64)?;
        match Envelope::from_slice(&bytes) {
            Ok(envelope) => {
                self.statements.note(key, &envelope);
                Some(envelope)
            }
            Err(error) => {
                self.find(key, Rule::EnvelopeForm, error.to_string());
                None
            }
        }
    }
}
