//! Any message, made of parts that own what a message borrows.

use crate::postgres::backend::{
    Authentication, BackendMessage, CopyResponse, FieldDescription, TransactionStatus, data_row,
};
use crate::postgres::error_fields::{ErrorFields, Severity};
use crate::postgres::frontend::{Bind, FrontendMessage, FunctionCall, Target};
use crate::postgres::sqlstate::SqlState;
use crate::postgres::{Backend, Format};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

/// Ingredients of one message.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct Parts {
    kind: u8,
    pub(super) texts: [String; 3],
    pub(super) words: Vec<String>,
    pub(super) values: Vec<Option<Vec<u8>>>,
    pub(super) formats: Vec<Format>,
    pub(super) numbers: Vec<u32>,
    pub(super) number: i32,
    pub(super) blob: Vec<u8>,
    options: [Option<String>; 3],
}

pub(in crate::postgres) fn parts() -> impl Strategy<Value = Parts> {
    (
        any::<u8>(),
        [text(), text(), text()],
        vec("[^\0]{1,8}", 1..5),
        vec(prop::option::of(vec(any::<u8>(), 0..20)), 0..6),
        vec(prop_oneof![Just(Format::Text), Just(Format::Binary)], 0..6),
        vec(any::<u32>(), 0..6),
        any::<i32>(),
        vec(any::<u8>(), 0..60),
        [prop::option::of(text()), prop::option::of(text()), prop::option::of(text())],
    )
        .prop_map(|(kind, texts, words, values, formats, numbers, number, blob, options)| Parts {
            kind,
            texts,
            words,
            values,
            formats,
            numbers,
            number,
            blob,
            options,
        })
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

impl Parts {
    pub(super) fn values(&self) -> Vec<Option<&[u8]>> {
        self.values.iter().map(Option::as_deref).collect()
    }

    /// Formats as `Bind` takes them: none, one, or as many as values.
    pub(super) fn fitting_formats(&self) -> Vec<Format> {
        let first = self.formats.first().copied().unwrap_or_default();
        match self.kind / 64 {
            0 => Vec::new(),
            1 => vec![first],
            _ => (0..self.values.len()).map(|index| Format::of(&self.formats, index)).collect(),
        }
    }

    pub(in crate::postgres) fn frontend(&self) -> FrontendMessage<'_> {
        let [first, second, _] = self.texts.each_ref().map(String::as_str);
        let target = if self.number > 0 { Target::Statement } else { Target::Portal };
        match self.kind % 14 {
            0 => FrontendMessage::Query { text: first },
            1 => FrontendMessage::Parse { name: first, query: second, parameter_types: self.numbers.clone() },
            2 => FrontendMessage::Bind(Bind {
                portal: first,
                statement: second,
                parameter_formats: self.fitting_formats(),
                parameters: self.values(),
                result_formats: self.formats.clone(),
            }),
            3 => FrontendMessage::Describe { target, name: first },
            4 => FrontendMessage::Execute { portal: first, max_rows: self.number },
            5 => FrontendMessage::Close { target, name: first },
            6 => FrontendMessage::Flush,
            7 => FrontendMessage::Sync,
            8 => FrontendMessage::Terminate,
            9 => FrontendMessage::Password(&self.blob),
            10 => FrontendMessage::CopyData(&self.blob),
            11 => FrontendMessage::CopyDone,
            12 => FrontendMessage::CopyFail { reason: first },
            _ => FrontendMessage::FunctionCall(FunctionCall {
                function: self.number.unsigned_abs(),
                argument_formats: self.fitting_formats(),
                arguments: self.values(),
                result_format: self.formats.first().copied().unwrap_or_default(),
            }),
        }
    }

    /// Bytes of a backend message.
    pub(in crate::postgres) fn backend(&self) -> BytesMut {
        let mut out = BytesMut::new();
        match self.backend_message() {
            Some(message) => message.encode(&mut out).unwrap(),
            None => data_row(&self.values(), &mut out).unwrap(),
        }
        out
    }

    /// `None` stands for `DataRow`, which is only made from bytes.
    fn backend_message(&self) -> Option<BackendMessage<'_>> {
        let [first, second, _] = self.texts.each_ref().map(String::as_str);
        Some(match self.kind % 24 {
            0 => BackendMessage::Authentication(self.authentication()),
            1 => BackendMessage::ParameterStatus { name: first, value: second },
            2 => BackendMessage::BackendKeyData { process_id: self.number, secret: self.secret() },
            3 => BackendMessage::ReadyForQuery(TransactionStatus::Failed),
            4 => BackendMessage::RowDescription(self.fields()),
            5 => return None,
            6 => BackendMessage::CommandComplete { tag: first },
            7 => BackendMessage::ErrorResponse(Box::new(self.error())),
            8 => BackendMessage::NoticeResponse(Box::new(self.error())),
            9 => BackendMessage::ParseComplete,
            10 => BackendMessage::BindComplete,
            11 => BackendMessage::CloseComplete,
            12 => BackendMessage::NoData,
            13 => BackendMessage::ParameterDescription(self.numbers.clone()),
            14 => BackendMessage::PortalSuspended,
            15 => BackendMessage::EmptyQueryResponse,
            16 => BackendMessage::CopyInResponse(self.copy()),
            17 => BackendMessage::CopyOutResponse(self.copy()),
            18 => BackendMessage::CopyBothResponse(self.copy()),
            19 => BackendMessage::CopyData(&self.blob),
            20 => BackendMessage::CopyDone,
            21 => BackendMessage::NotificationResponse { process_id: self.number, channel: first, payload: second },
            22 => BackendMessage::NegotiateProtocolVersion {
                newest: self.number.unsigned_abs(),
                unrecognized: self.words.iter().map(String::as_str).collect(),
            },
            _ => BackendMessage::FunctionCallResponse(self.values().first().copied().flatten()),
        })
    }

    fn secret(&self) -> &[u8] {
        if self.blob.len() >= 4 { &self.blob } else { b"abcd" }
    }

    fn authentication(&self) -> Authentication<'_> {
        match self.number.rem_euclid(10) {
            0 => Authentication::Ok,
            1 => Authentication::KerberosV5,
            2 => Authentication::CleartextPassword,
            3 => Authentication::Md5Password { salt: self.number.to_be_bytes() },
            4 => Authentication::Gss,
            5 => Authentication::GssContinue(&self.blob),
            6 => Authentication::Sspi,
            7 => Authentication::Sasl { mechanisms: self.words.iter().map(String::as_str).collect() },
            8 => Authentication::SaslContinue(&self.blob),
            _ => Authentication::SaslFinal(&self.blob),
        }
    }

    fn fields(&self) -> Vec<FieldDescription<'_>> {
        let field = |(index, name): (usize, &'static str)| FieldDescription {
            name,
            table_oid: self.number.unsigned_abs(),
            column: i16::try_from(index).unwrap() - 1,
            type_oid: 25,
            type_size: -1,
            type_modifier: self.number,
            format: Format::of(&self.formats, index),
        };
        let mut fields: Vec<_> = ["", "id", "größe"].into_iter().enumerate().map(field).collect();
        fields.truncate(self.values.len());
        fields
    }

    fn copy(&self) -> CopyResponse {
        CopyResponse { format: self.formats.first().copied().unwrap_or_default(), columns: self.formats.clone() }
    }

    fn error(&self) -> ErrorFields {
        let [detail, hint, context] = self.options.clone();
        ErrorFields {
            severity_shown: detail.clone().filter(|shown| shown != "WARNING"),
            detail,
            hint,
            context,
            position: self.numbers.first().copied(),
            internal_position: self.numbers.get(1).copied(),
            unknown: self.words.iter().map(|word| (b'Z', word.clone())).collect(),
            ..ErrorFields::new(Severity::Warning, SqlState::UNIQUE_VIOLATION, self.texts[0].clone())
        }
    }
}

/// A whole backend message decoded from its own bytes.
pub(super) fn decoded<R>(bytes: &[u8], look: impl FnOnce(BackendMessage<'_>) -> R) -> R {
    let message = super::one::<Backend>(bytes);
    look(BackendMessage::decode(&message).unwrap())
}
