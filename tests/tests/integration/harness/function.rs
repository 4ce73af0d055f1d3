//! One of the functions' programs as a process of our own, under the Lambda runtime API: so it can be killed midway, and
//! what lies between it and AWS is a [`FaultProxy`].

use std::fs::File;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::emulator::REGION;
use super::fault_proxy::read_request;
use super::{Emulator, FaultProxy, Programs, SECRET};

/// A function. Its process is started when something is to be done, and again after it died.
pub(crate) struct Function {
    program: &'static str,
    variables: Vec<(String, String)>,
    /// Between it and AWS.
    pub(crate) proxy: FaultProxy,
    timeout: Duration,
    process: Option<Process>,
    /// What its processes said.
    said: tempfile::TempDir,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It told an error.
    Error(Value),
    /// It ended, was killed, or took too long and was killed for that.
    Died,
}

struct Process {
    child: Arc<Mutex<Child>>,
    events: Sender<Event>,
    answers: Receiver<Result<Value, Value>>,
}

struct Event {
    arn: String,
    body: String,
    deadline_ms: u128,
}

impl Function {
    /// The program of this name, which may take so long for an event.
    pub(crate) fn new(
        emulator: &Emulator,
        program: &'static str,
        timeout: Duration,
        variables: Vec<(String, String)>,
    ) -> Self {
        let proxy = FaultProxy::before(emulator.address());
        Self { program, variables, proxy, timeout, process: None, said: tempfile::tempdir().unwrap() }
    }

    /// What it answers to an event, called by this ARN.
    pub(crate) fn invoke(&mut self, arn: &str, event: &Value) -> Result<Value, Unanswered> {
        let process = match self.process.take() {
            Some(process) => process,
            None => self.start(),
        };
        // The first start waits for its program to be built.
        let deadline = Instant::now() + self.timeout;
        let deadline_ms = (SystemTime::now() + self.timeout).duration_since(UNIX_EPOCH).unwrap().as_millis();
        process.events.send(Event { arn: arn.to_owned(), body: event.to_string(), deadline_ms }).unwrap();
        loop {
            match process.answers.recv_timeout(LOOK) {
                Ok(answer) => {
                    self.process = Some(process);
                    return answer.map_err(Unanswered::Error);
                }
                Err(RecvTimeoutError::Timeout) if process.lives() && Instant::now() < deadline => {}
                Err(_) => return Err(Unanswered::Died),
            }
        }
    }

    /// Everything that it said to its log, for a look after a failure.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.said.path().join("log")).unwrap_or_default()
    }

    /// The sum of a metric that it told.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let told = std::fs::read_to_string(self.said.path().join("metrics")).unwrap_or_default();
        // The last line may be half of one, of a process that was killed.
        let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line[name].as_u64()).sum()
    }

    fn start(&self) -> Process {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let said = |file: &str| {
            let path: PathBuf = self.said.path().join(file);
            File::options().create(true).append(true).open(path).unwrap()
        };
        let mut command = Command::new(Programs::built().executable(self.program));
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", self.program)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.proxy.address()))
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        let child = command.stdout(said("metrics")).stderr(said("log")).spawn().unwrap();
        let child = Arc::new(Mutex::new(child));
        self.proxy.serve_client(child.clone());
        let (events, waiting) = channel();
        let (answering, answers) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (waiting, answering) = (waiting.clone(), answering.clone());
                // A process that was killed leaves half a conversation.
                std::thread::spawn(move || client.and_then(|client| serve(client, &waiting, &answering)));
            }
        });
        Process { child, events, answers }
    }
}

impl Process {
    fn lives(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _gone = child.kill();
        let _status = child.wait();
    }
}

/// One request of the runtime API: for the next event, or with the answer to one.
fn serve(
    mut client: TcpStream,
    waiting: &Mutex<Receiver<Event>>,
    answering: &Sender<Result<Value, Value>>,
) -> std::io::Result<()> {
    let Some((head, body)) = read_request(&mut BufReader::new(client.try_clone()?))? else { return Ok(()) };
    let path = head.split(' ').nth(1).unwrap_or_default();
    if path.ends_with("/next") {
        // Until there is one, or until the process is gone and nobody sends any more.
        let Ok(event) = waiting.lock().unwrap().recv() else { return Ok(()) };
        let Event { arn, body, deadline_ms } = event;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {deadline_ms}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: {arn}\r\n\r\n"
        );
        return client.write_all((head + &body).as_bytes());
    }
    let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answer = if path.ends_with("/response") { Ok(value) } else { Err(value) };
    client.write_all(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?;
    // Nobody waits for it any more when it took too long.
    let _late = answering.send(answer);
    Ok(())
}

/// Between two looks whether it still lives.
const LOOK: Duration = Duration::from_millis(20);
