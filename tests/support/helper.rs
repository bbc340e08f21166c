//! The Java process that runs Kafka's own code for the tests: `tests/kafka/src/kfetch/Helper.java`.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{jvm, process};

/// Longer than any limit inside the helper, so that its own message comes first.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// One line of fields.
pub(crate) type Row = Vec<String>;

/// What a command of the helper threw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JavaError {
    /// The exception's class without its package.
    pub(crate) class: String,
    pub(crate) message: String,
}

impl fmt::Display for JavaError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.class, self.message)
    }
}

/// A running helper; it ends with this process at the latest.
#[derive(Debug)]
pub(crate) struct Helper {
    streams: Mutex<Streams>,
}

#[derive(Debug)]
struct Streams {
    requests: ChildStdin,
    answers: Receiver<String>,
    /// The command that got no answer: the others then fail at once, each would wait as long.
    hung: Option<String>,
}

/// Returns this test binary's helper, started on first use. Its commands run one after another.
pub(crate) fn helper() -> &'static Helper {
    static HELPER: OnceLock<Helper> = OnceLock::new();
    HELPER.get_or_init(Helper::start)
}

impl Helper {
    /// Starts a helper of its own, for commands that may block.
    pub(crate) fn start() -> Self {
        let options = ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];
        let mut command = jvm::command(&options, "kfetch.Helper");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = process::spawn_tied(command).expect("Java starts");
        let requests = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
            let _ = child.wait();
        });
        Self { streams: Mutex::new(Streams { requests, answers, hung: None }) }
    }

    /// Runs a command and returns the rows of its answer.
    ///
    /// # Errors
    ///
    /// What the command threw in Java.
    ///
    /// # Panics
    ///
    /// When the helper is gone or does not answer.
    pub(crate) fn call(
        &self,
        command: &str,
        arguments: &[&str],
        rows: &[Row],
    ) -> Result<Vec<Row>, JavaError> {
        let mut request = format!("{command}\t{}", rows.len());
        for argument in arguments {
            request.push('\t');
            request.push_str(&escape(argument));
        }
        request.push('\n');
        for row in rows {
            request.push_str(&row.iter().map(|field| escape(field)).collect::<Row>().join("\t"));
            request.push('\n');
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let hung = streams.hung.as_ref();
        assert!(hung.is_none(), "the Java helper hangs in {hung:?}");
        streams.requests.write_all(request.as_bytes()).expect("the helper reads");
        let head = streams.row(command);
        if head[0] == "error" {
            return Err(JavaError { class: head[2].clone(), message: head[3].clone() });
        }
        let count = head[1].parse::<usize>().expect("a number of rows");
        Ok((0..count).map(|_| streams.row(command)).collect())
    }

    /// Runs a command that is expected to succeed.
    pub(crate) fn expect(&self, command: &str, arguments: &[&str], rows: &[Row]) -> Vec<Row> {
        self.call(command, arguments, rows)
            .unwrap_or_else(|error| panic!("{command} {arguments:?}: {error}"))
    }

    /// Runs the main class of a Kafka tool inside the helper.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) -> ToolOutput {
        let arguments = [&[class], arguments].concat();
        let mut rows = self.expect("tool", &arguments, &[]);
        let [status, stdout, stderr] = rows.remove(0).try_into().expect("three fields");
        ToolOutput { status: status.parse().expect("a status"), stdout, stderr }
    }
}

/// What a Kafka tool printed.
#[derive(Debug)]
pub(crate) struct ToolOutput {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Streams {
    fn row(&mut self, command: &str) -> Row {
        match self.answers.recv_timeout(ANSWER_LIMIT) {
            Ok(line) => line.split('\t').map(unescape).collect(),
            Err(error) => {
                self.hung = Some(command.to_owned());
                panic!("no answer of the Java helper to {command}: {error}");
            }
        }
    }
}

fn escape(field: &str) -> String {
    let field = field.replace('\\', "\\\\").replace('\t', "\\t");
    field.replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => match letters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                other => other.expect("an escape has two letters"),
            },
            plain => plain,
        });
    }
    text
}

/// Writes bytes as the helper's fields have them: hex, `-` for null.
pub(crate) fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "-".to_owned();
    };
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads a field that [`hex`] or the helper wrote.
pub(crate) fn bytes(field: &str) -> Option<Vec<u8>> {
    if field == "-" {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).expect("a hex digit");
    let byte = |pair: &[u8]| u8::try_from(nibble(pair[0]) << 4 | nibble(pair[1])).expect("8 bits");
    Some(field.as_bytes().chunks_exact(2).map(byte).collect())
}
