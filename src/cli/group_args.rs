//! The options of `kfetch group`.

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgMatches, Args, Subcommand};

use crate::reset_to::ResetTo;
use crate::source_args::SourceArgs;

/// What to do with consumer groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Prints the names of all groups, a line each.
    #[command(after_help = LIST_HELP)]
    List(ListArgs),

    /// Prints what groups have committed, and how far that is behind the ends.
    #[command(after_help = DESCRIBE_HELP)]
    Describe(DescribeArgs),

    /// Commits other offsets for a group that has no members.
    #[command(after_help = RESET_HELP)]
    Reset(ResetArgs),

    /// Deletes the offsets that a group has committed for topics that none of its members reads.
    #[command(after_help = DELETE_HELP)]
    DeleteOffsets(DeleteOffsetsArgs),
}

impl GroupCommand {
    /// Puts `-F` and `-X` into the order of the command line, of which `matches` is the part of
    /// `kfetch group`.
    pub(crate) fn order(&mut self, matches: &ArgMatches) {
        let Some((_, matches)) = matches.subcommand() else { return };
        let source = match self {
            Self::List(args) => &mut args.source,
            Self::Describe(args) => &mut args.source,
            Self::Reset(args) => &mut args.source,
            Self::DeleteOffsets(args) => &mut args.source,
        };
        source.order(matches);
    }
}

/// The options of `kfetch group list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// The options of `kfetch group describe`.
#[derive(Args, Debug)]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Prints an array of JSON objects.
    #[arg(long)]
    pub(crate) json: bool,

    /// The group; all where it is not given.
    #[arg(value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) group: Option<String>,
}

/// The options of `kfetch group reset`.
#[derive(Args, Debug)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Topics whose partitions get other offsets, with commas between.
    #[arg(short, long = "topic", value_name = "TOPIC,…", value_delimiter = ',', required = true)]
    pub(crate) topics: Vec<String>,

    /// Where the group goes on: earliest, latest, offset N, s@MS, the first record of that time or
    /// later, or by_duration:PT…, the first record no older than that.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    pub(crate) to: ResetTo,

    /// Prints what would be committed, and commits nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The group.
    #[arg(value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) group: String,
}

/// The options of `kfetch group delete-offsets`.
#[derive(Args, Debug)]
pub(crate) struct DeleteOffsetsArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Topics whose offsets are deleted, with commas between.
    #[arg(short, long = "topic", value_name = "TOPIC,…", value_delimiter = ',', required = true,
        num_args = 1..)]
    pub(crate) topics: Vec<String>,

    /// The group.
    #[arg(value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) group: String,
}

pub(crate) const HELP: &str = "\
Example: kfetch group describe -b localhost:9092 billing";

const LIST_HELP: &str = "\
On log directories these are the groups that have committed something and, where a process serves
the groups now, those that run. Nothing is locked or written.

Example: kfetch group list -b localhost:9092";

const DESCRIBE_HELP: &str = "\
Groups that have committed nothing give no line. On log directories nothing is locked or written;
owners are shown where a process serves the groups.

Example: kfetch group describe --log-dirs data --json billing";

const RESET_HELP: &str = "\
An offset before the first record or behind the end becomes that one; where no record is that young,
the group goes on at the end.

Example: kfetch group reset billing -b localhost:9092 -t orders --to by_duration:PT1H --dry-run";

const DELETE_HELP: &str = "\
Example: kfetch group delete-offsets billing -b localhost:9092 -t orders";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;
    use crate::source_args::SettingArg;

    #[derive(Debug, Parser)]
    #[command(after_help = HELP)]
    struct Group {
        #[command(subcommand)]
        command: GroupCommand,
    }

    fn parsed(line: &str) -> Option<GroupCommand> {
        let line = ["group"].into_iter().chain(line.split(' '));
        let matches = Group::command().try_get_matches_from(line).ok()?;
        let mut command = Group::from_arg_matches(&matches).unwrap().command;
        command.order(&matches);
        Some(command)
    }

    #[test]
    fn the_options_are_sound() {
        Group::command().debug_assert();
    }

    #[test]
    fn list_takes_brokers_or_log_directories() {
        let Some(GroupCommand::List(args)) = parsed("list -b h:1,i:2") else { panic!() };
        assert_eq!(args.source.brokers.as_deref(), Some("h:1,i:2"));
        let Some(GroupCommand::List(args)) = parsed("list --log-dirs a,b") else { panic!() };
        assert_eq!(args.source.log_dirs.as_deref(), Some("a,b"));
        assert!(parsed("list -b h:1 --log-dirs a").is_none());
        assert!(parsed("list -b h:1 billing").is_none());
    }

    #[test]
    fn describe_takes_a_group_or_none() {
        let Some(GroupCommand::Describe(args)) = parsed("describe -b h:1") else { panic!() };
        assert_eq!((args.group, args.json), (None, false));
        let line = "describe -X a=1 billing -F file --json -X b=2";
        let Some(GroupCommand::Describe(args)) = parsed(line) else { panic!() };
        assert_eq!((args.group.as_deref(), args.json), (Some("billing"), true));
        let property = |text: &str| SettingArg::Property(text.to_owned());
        let settings = [property("a=1"), SettingArg::File("file".into()), property("b=2")];
        assert_eq!(args.source.settings, settings);
        assert!(parsed("describe -b h:1 billing shipping").is_none());
    }

    #[test]
    fn reset_says_for_which_topics_and_where_to() {
        let line = "reset billing -t orders -t a,b --to -1";
        assert!(parsed(line).is_none());
        let Some(GroupCommand::Reset(args)) = parsed(&line.replace("-1", "42 --dry-run")) else {
            panic!()
        };
        assert_eq!((args.group.as_str(), args.to), ("billing", ResetTo::At(42)));
        assert!(args.dry_run);
        assert_eq!(args.topics, ["orders", "a", "b"]);
        let Some(GroupCommand::Reset(args)) = parsed("reset -t orders --to earliest billing")
        else {
            panic!()
        };
        assert_eq!((args.group.as_str(), args.dry_run), ("billing", false));
        for missing in ["reset billing --to latest", "reset billing -t a", "reset -t a --to 1"] {
            assert!(parsed(missing).is_none(), "{missing}");
        }
    }

    #[test]
    fn delete_offsets_takes_topics_in_each_form() {
        for line in ["-t a b c", "-t a,b -t c", "-t a -t b -t c", "-t a,b,c"] {
            let line = format!("delete-offsets billing {line}");
            let Some(GroupCommand::DeleteOffsets(args)) = parsed(&line) else { panic!("{line}") };
            assert_eq!((args.group.as_str(), args.topics.len()), ("billing", 3), "{line}");
            assert_eq!(args.topics, ["a", "b", "c"]);
        }
        assert!(parsed("delete-offsets billing").is_none());
    }
}
