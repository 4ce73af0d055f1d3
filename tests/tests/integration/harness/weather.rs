//! What falls on requests to AWS: by the service and the call, the same again for the same seed and the same requests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Fault;
use super::workload::Moments;

/// What a request asks, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// As requests are signed for it: `s3`, `dynamodb`, `kms`, `sqs`, `lambda`.
    pub(crate) service: String,
    /// `UpdateItem`, `Sign`, `PutObject`; of S3's calls without a name, the method and the query.
    pub(crate) operation: String,
}

/// What falls on a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike {
    pub(crate) fault: Fault,
    /// It is done all the same.
    pub(crate) persists: bool,
}

/// Tells of each request what falls on it.
pub(crate) type Weather = Box<dyn FnMut(&Call) -> Option<Strike> + Send>;

impl Call {
    /// From a request's head.
    pub(crate) fn of(head: &str) -> Self {
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        // Credential=<id>/<day>/<region>/<service>/aws4_request
        let scope = header("authorization").unwrap_or_default();
        let service = scope.split("/aws4_request").next().and_then(|scope| scope.rsplit('/').next());
        let target = header("x-amz-target").and_then(|target| Some(target.rsplit_once('.')?.1.to_owned()));
        let mut request = head.lines().next().unwrap_or_default().split(' ');
        let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let named = query.split('&').find_map(|pair| pair.strip_prefix("x-id=").map(str::to_owned));
        let operation = target.or(named).unwrap_or_else(|| format!("{method} {query}"));
        Self { service: service.unwrap_or_default().to_owned(), operation }
    }
}

/// Of so many requests one suffers, at random, anything that may come over it but silence. Keys are asked for so seldom
/// that chance would spare them: each call to them fails at first, more often than any program tries it, and then every
/// second one suffers.
pub(crate) fn storm(seed: u64, one_in: u32) -> Weather {
    let mut moments = Moments::of(seed);
    let mut of_keys: BTreeMap<String, usize> = BTreeMap::new();
    Box::new(move |call| {
        let is_of_keys = call.service == "kms";
        let fails = is_of_keys && {
            let asked = of_keys.entry(call.operation.clone()).or_default();
            *asked += 1;
            *asked <= KEYS_AWAY
        };
        if !fails && moments.below(if is_of_keys { 2 } else { one_in }) > 0 {
            return None;
        }
        let statuses = statuses(&call.service);
        let (status, code) = statuses[moments.below(u32::try_from(statuses.len()).unwrap()) as usize];
        // The last two end well.
        let (fault, persists) = match moments.below(if fails { 6 } else { 8 }) {
            0 => (Fault::Cut, false),
            1 => (Fault::Cut, true),
            2 => (Fault::Torn, true),
            3 | 4 => (Fault::Status(status, code), false),
            5 => (Fault::Status(status, code), true),
            6 => (Fault::Delay(moments.within(LATE)), false),
            _ => (Fault::Twice, false),
        };
        Some(Strike { fault, persists })
    })
}

/// Every request to this service is told that there are too many.
pub(crate) fn throttled(service: &'static str) -> Weather {
    let (status, code) = statuses(service)[0];
    let strike = Strike { fault: Fault::Status(status, code), persists: false };
    Box::new(move |call| (call.service == service).then_some(strike))
}

/// Nothing gets through any more.
pub(crate) fn severed() -> Weather {
    Box::new(|_| Some(Strike { fault: Fault::Cut, persists: false }))
}

/// Who sends the request of this number from now on, from 1, does not live to see its answer.
pub(crate) fn death(at: usize, persists: bool) -> Weather {
    let mut left = at;
    Box::new(move |_| {
        left = left.checked_sub(1)?;
        (left == 0).then_some(Strike { fault: Fault::Kill, persists })
    })
}

/// What a service says when it has no time, throttling first.
fn statuses(service: &str) -> &'static [(u16, &'static str)] {
    match service {
        "s3" => &[(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")],
        "dynamodb" => &[
            (400, "ProvisionedThroughputExceededException"),
            (400, "ThrottlingException"),
            (500, "InternalServerError"),
        ],
        "kms" => &[(400, "ThrottlingException"), (500, "KMSInternalException")],
        "sqs" => &[(400, "RequestThrottled"), (500, "InternalFailure")],
        "lambda" => &[(429, "TooManyRequestsException"), (500, "ServiceException")],
        _ => panic!("a request to {service:?}, of which nobody knows how it fails"),
    }
}

/// Programs try five times, or three.
pub(crate) const KEYS_AWAY: usize = 6;
const LATE: Duration = Duration::from_millis(300);
