//! Why a command ends without having done its work.

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// When the command line cannot be understood or lacks something: exit status 2.
    Usage(String),
    /// When something went wrong: exit status 1, after this text.
    Error(String),
    /// When something went wrong of which the user has been told: exit status 1.
    Reported,
    /// When SIGHUP has ended it: exit status 129, as a shell has it.
    HungUp,
    /// When nobody reads standard output any more: the end, without a word.
    OutputClosed,
}

impl From<kfetch::Error> for Failure {
    fn from(error: kfetch::Error) -> Self {
        Self::Error(crate::message::of(&error))
    }
}
