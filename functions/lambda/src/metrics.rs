//! Metrics in CloudWatch's embedded metric format: one line of JSON each time, without dimensions, that CloudWatch Logs
//! reads. An alarm needs no right of the function's to CloudWatch.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use aws::{Environment, EnvironmentError};
use serde_json::{Map, Value, json};

use crate::clock;

/// Where metrics are told. Cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    namespace: String,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl Metrics {
    /// On standard output, in the namespace that the environment names.
    ///
    /// # Errors
    /// [`EnvironmentError`] when it names none.
    pub fn read(environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self::new(environment.text("AFFIDAVIT_METRICS")?, std::io::stdout()))
    }

    pub(crate) fn new(namespace: String, out: impl Write + Send + 'static) -> Self {
        Self { namespace, out: Arc::new(Mutex::new(out)) }
    }

    /// Tells counts, by their names.
    pub fn count(&self, counts: &[(&'static str, u64)]) {
        let names: Vec<Value> = counts.iter().map(|(name, _)| json!({ "Name": name, "Unit": "Count" })).collect();
        let of = json!({ "Namespace": self.namespace, "Dimensions": [[]], "Metrics": names });
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({ "Timestamp": clock::now_ms(), "CloudWatchMetrics": [of] }));
        line.extend(counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A function whose output nobody reads still does its work.
        let _ = writeln!(out, "{}", Value::Object(line)).and_then(|()| out.flush());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What was written, for a look at it.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn metrics(&self) -> Metrics {
            Metrics::new("Affidavit/test".to_owned(), self.clone())
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// The sum of a metric.
        pub(crate) fn sum(&self, name: &str) -> u64 {
            let text = self.text();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter_map(|line| line[name].as_u64()).sum()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn counts_are_a_line_that_cloudwatch_reads() {
        let written = Written::default();
        written.metrics().count(&[("Sealed", 7), ("Rejected", 0)]);
        let text = written.text();
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        let of = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&of["Namespace"], &of["Dimensions"]), (&json!("Affidavit/test"), &json!([[]])));
        assert_eq!(of["Metrics"][0], json!({ "Name": "Sealed", "Unit": "Count" }));
        assert_eq!((&line["Sealed"], &line["Rejected"]), (&json!(7), &json!(0)));
        assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000, "milliseconds");
    }
}
