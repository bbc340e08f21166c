//! Where the library's own messages go: a callback, the `log` crate, or stderr.

#![forbid(unsafe_code)]

use std::fmt;

use log::Level;

type Sink = Box<dyn Fn(Level, &str, &str) + Send + Sync>;

/// Takes the messages of one engine.
///
/// With a callback every message goes there. Without one they go to the `log` crate if the
/// program has set a logger up; else warnings and errors go to stderr, the rest nowhere.
pub struct Logger {
    sink: Option<Sink>,
}

impl Logger {
    /// Makes a logger that calls `sink(level, target, text)` on whichever thread has a message.
    pub fn new(sink: impl Fn(Level, &str, &str) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Box::new(sink)) }
    }

    /// Makes a logger without a callback.
    pub fn without_callback() -> Self {
        Self { sink: None }
    }

    /// Takes a message; `target` names the part of the library that speaks.
    pub fn log(&self, level: Level, target: &str, text: fmt::Arguments<'_>) {
        if let Some(sink) = &self.sink {
            return sink(level, target, &text.to_string());
        }
        if log::max_level() != log::LevelFilter::Off {
            let record = log::Record::builder().level(level).target(target).args(text).build();
            return log::logger().log(&record);
        }
        if level <= Level::Warn {
            eprintln!("{level} {target}: {text}");
        }
    }

    /// Takes a warning.
    pub fn warn(&self, target: &str, text: fmt::Arguments<'_>) {
        self.log(Level::Warn, target, text);
    }

    /// Takes a message that helps to follow what the engine does.
    pub fn debug(&self, target: &str, text: fmt::Arguments<'_>) {
        self.log(Level::Debug, target, text);
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").field("callback", &self.sink.is_some()).finish()
    }
}
