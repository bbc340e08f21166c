//! The command line.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bench::{self, BenchArgs};
use crate::encoding::Encoding;
use crate::group_args::{self, GroupCommand};
use crate::log_args::LogCommand;
use crate::source_args::SourceArgs;
use crate::start_at::OffsetArg;

/// Reads and writes Kafka topics: from brokers, or straight from log directories.
#[derive(Debug, Parser)]
#[command(name = "kfetch", version, after_help = HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints the records of a topic.
    #[command(after_help = CAT_HELP)]
    Cat(CatArgs),

    /// Lists and describes consumer groups, and changes what they have committed.
    #[command(after_help = group_args::HELP)]
    Group {
        #[command(subcommand)]
        command: GroupCommand,
    },

    /// Checks, prints and writes log directories.
    #[command(after_help = LOG_HELP)]
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },

    /// Measures how fast a topic is read.
    #[command(after_help = bench::HELP)]
    Bench(BenchArgs),

    /// Shows what kfetch does, with nothing but a temporary directory.
    Demo {
        #[command(subcommand)]
        command: DemoCommand,
    },
}

/// What to show.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Shows a consumer group on a log directory: who joins, who leads, and who owns what.
    Groups,
}

/// The options of `kfetch cat`, with kcat's letters.
#[derive(Args, Debug)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Topic to read; with -g also several, and patterns with a ^ before them.
    #[arg(short, long = "topic", value_name = "TOPIC", required = true)]
    pub(crate) topics: Vec<String>,

    /// Reads as a member of this group, and commits what has been printed.
    #[arg(short, long, value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) group: Option<String>,

    /// Partitions to read, with commas between; all where it is not given.
    #[arg(short, long, value_name = "PARTITION,…", value_delimiter = ',', conflicts_with = "group",
        value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partitions: Vec<i32>,

    /// Where to begin: beginning, end, offset N, the last -N records of each partition, or s@MS,
    /// the first record of that time or later; e@MS says where to stop. May be given twice.
    #[arg(short, long = "offset", value_name = "WHERE", allow_hyphen_values = true)]
    pub(crate) offsets: Vec<OffsetArg>,

    /// Ends after so many records.
    #[arg(short, long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,

    /// Ends at the end of the partitions, instead of waiting for more.
    #[arg(short, long)]
    pub(crate) exit: bool,

    /// Prints each record as a JSON object, as kcat does.
    #[arg(short = 'J', long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// Prints records by this format; see below.
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub(crate) format: Option<String>,

    /// Prints keys, with this between key and value.
    #[arg(short = 'K', long, value_name = "DELIM", allow_hyphen_values = true)]
    pub(crate) key_delimiter: Option<String>,

    /// Prints this behind each record.
    #[arg(
        short = 'D',
        long,
        value_name = "DELIM",
        default_value = "\\n",
        allow_hyphen_values = true
    )]
    pub(crate) delimiter: String,

    /// Prints NULL for null or empty keys and values; JSON always has null for null.
    #[arg(short = 'Z', long)]
    pub(crate) null: bool,

    /// Says nothing on standard error but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Writes out each record at once.
    #[arg(short, long)]
    pub(crate) unbuffered: bool,

    /// How keys, values and header values are printed.
    #[arg(
        long,
        value_name = "ENCODING",
        value_enum,
        default_value = "utf8",
        hide_possible_values = true,
        help = "How keys, values and header values are printed: \
        utf8 (as they are), base64 or hex"
    )]
    pub(crate) encoding: Encoding,
}

const HELP: &str = "Example: kfetch cat -b localhost:9092 -t orders -e -J";

const LOG_HELP: &str = "Example: kfetch log generate -t orders data && kfetch log verify data";

const CAT_HELP: &str = "\
Formats: %s value, %k key, %S and %K their lengths (-1 for null), %R the value's length as 4 bytes,
%T time stamp in ms, %h headers, %t topic, %p partition, %o offset, %% a percent sign;
\\n \\r \\t \\xHH \\NNN as in C, the last in decimal.

With -g the group's members share the partitions of the topics. It goes on where the group has
committed, and where it has not at the beginning, or as -o beginning, -o end or auto.offset.reset
says. A topic that begins with ^ is a pattern that names match as a whole: '^orders.*'. At the end,
also after -c, -e or a signal, what has been printed is committed.

Example: kfetch cat -b localhost:9092 -t orders -o -5 -e -f '%p:%o %k=%s\\n'";

impl Cli {
    /// Reads the command line; where that ends the command, it returns the exit status.
    pub(crate) fn read() -> Result<Command, ExitCode> {
        let read = Self::command().try_get_matches().and_then(|matches| {
            let mut cli = Self::from_arg_matches(&matches)?;
            cli.command.order(&matches);
            Ok(cli.command)
        });
        read.map_err(|error| {
            // Help goes to standard output, where perhaps nobody reads it.
            drop(error.print());
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(crate::USAGE))
        })
    }
}

impl Command {
    fn order(&mut self, matches: &ArgMatches) {
        let Some((_, matches)) = matches.subcommand() else { return };
        match self {
            Self::Cat(args) => args.source.order(matches),
            Self::Bench(args) => args.source.order(matches),
            Self::Group { command } => command.order(matches),
            Self::Log { .. } | Self::Demo { .. } => {}
        }
    }
}
