//! The `kfetch` command: reads topics from brokers or log directories, looks after groups, checks
//! and writes log directories, and measures how fast a source is read.
//!
//! Standard output carries records or results and nothing else; messages go to standard error.
//! The exit status is 0, 1 after an error, 2 for a command line that cannot be understood, or 129
//! where SIGHUP ended `cat -g`. A closed standard output ends the command in silence.

#![forbid(unsafe_code)]

mod args;
mod batch_check;
mod bench;
mod cat;
mod cat_group;
mod demo_groups;
mod demo_member;
mod encoding;
mod escape;
mod failure;
mod format;
mod group;
mod group_args;
mod group_delete;
mod group_local;
mod group_offsets;
mod group_reset;
mod json;
mod log_append;
mod log_args;
mod log_files;
mod log_generate;
mod log_inspect;
mod log_verify;
mod message;
mod number;
mod output;
mod partitions;
mod progress;
mod reset_to;
mod settings;
mod source_args;
mod start;
mod start_at;
mod table;

use std::process::ExitCode;

use args::{Cli, Command, DemoCommand};
use failure::{Failure, Outcome};
use log_args::LogCommand;

const ERROR: u8 = 1;
const USAGE: u8 = 2;
const HUNG_UP: u8 = 129;

fn main() -> ExitCode {
    let command = match Cli::read() {
        Ok(command) => command,
        Err(shown) => return shown,
    };
    match run(&command) {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Reported) => ExitCode::from(ERROR),
        Err(Failure::HungUp) => ExitCode::from(HUNG_UP),
        Err(Failure::Error(text)) => {
            message::error(&text);
            ExitCode::from(ERROR)
        }
        Err(Failure::Usage(text)) => {
            message::usage(&text);
            ExitCode::from(USAGE)
        }
    }
}

fn run(command: &Command) -> Outcome {
    match command {
        Command::Cat(args) => cat::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Group { command } => group::run(command),
        Command::Demo { command: DemoCommand::Groups } => demo_groups::run(),
        Command::Log { command } => match command {
            LogCommand::Verify(args) => log_verify::run(args),
            LogCommand::Inspect(args) => log_inspect::run(args),
            LogCommand::Append(args) => log_append::run(args),
            LogCommand::Generate(args) => log_generate::run(args),
        },
    }
}
