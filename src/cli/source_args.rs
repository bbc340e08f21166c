//! The options that say where records, groups and offsets come from, shared by most commands.

use std::path::PathBuf;

use clap::{ArgMatches, Args};

/// The brokers or log directories, and how they are used.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// Brokers to begin with: HOST[:PORT], with commas between.
    #[arg(short = 'b', long = "brokers", value_name = "HOST:PORT,…", conflicts_with = "log_dirs")]
    pub(crate) brokers: Option<String>,

    /// Log directories to read without a broker, with commas between.
    #[arg(long, value_name = "DIR,…")]
    pub(crate) log_dirs: Option<String>,

    /// Reads properties from a file; where one is set more than once, the last counts.
    #[arg(short = 'F', long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Sets a property of Kafka's consumer, or of librdkafka's.
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,

    /// What `-F` and `-X` say, in the order in which they stand.
    #[arg(skip)]
    pub(crate) settings: Vec<SettingArg>,
}

/// One `-F` or `-X`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingArg {
    /// When a file is to be read.
    File(PathBuf),
    /// When this is a name and a value.
    Property(String),
}

impl SourceArgs {
    /// Puts `-F` and `-X` into the order of the command line, of which `matches` is this command's
    /// part.
    pub(crate) fn order(&mut self, matches: &ArgMatches) {
        let places = |id: &str| matches.indices_of(id).into_iter().flatten();
        let files = places("files").zip(self.files.drain(..).map(SettingArg::File));
        let properties = self.properties.drain(..).map(SettingArg::Property);
        let mut settings: Vec<(usize, SettingArg)> =
            files.chain(places("properties").zip(properties)).collect();
        settings.sort_by_key(|(place, _)| *place);
        self.settings = settings.into_iter().map(|(_, setting)| setting).collect();
    }
}
