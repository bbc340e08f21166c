//! Standard output behind one large buffer.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::failure::{Failure, Outcome};

/// What is collected before it is written: enough that system calls cost nothing beside the rest.
const BUFFER_BYTES: usize = 256 * 1024;

/// Standard output; what is in the buffer is lost unless it is flushed.
#[derive(Debug)]
pub(crate) struct Output {
    /// A descriptor of its own: the standard library's handle looks for line ends.
    file: File,
    buffer: Vec<u8>,
}

impl Output {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that there are too many descriptors.
    pub(crate) fn new() -> Outcome<Self> {
        let file = io::stdout().as_fd().try_clone_to_owned().map_err(|error| failure(&error))?;
        Ok(Self { file: file.into(), buffer: Vec::with_capacity(2 * BUFFER_BYTES) })
    }

    /// Appends to the buffer, and writes it out when it is full.
    ///
    /// # Errors
    ///
    /// [`Failure::OutputClosed`] where nobody reads it, else what the operating system says.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
        write(&mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes out what is in the buffer.
    ///
    /// # Errors
    ///
    /// As [`Output::append`].
    pub(crate) fn flush(&mut self) -> Outcome {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| failure(&error))
    }

    /// Tells whether a person sees it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Returns the descriptor, to see whether somebody still reads from it.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Error(format!("standard output: {error}")),
    }
}
