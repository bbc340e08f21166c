//! What is known of a property: names, values, default, and what becomes of a setting.

#![forbid(unsafe_code)]

use super::value::Kind;

/// What kfetch does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Support {
    /// When the value is honoured.
    Built,
    /// When any valid value is accepted in silence: none can change what this consumer does.
    NoEffect,
    /// When any valid value is accepted, with a warning unless it is one of these, which ask for
    /// what kfetch does anyway.
    Warn(&'static [&'static str]),
    /// When the function does not exist yet: every value is refused but these, which do not ask
    /// for it.
    NotBuilt(&'static [&'static str]),
}

/// A property that a [`Config`](super::Config) knows.
#[derive(Debug)]
pub struct Property {
    name: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
    default: &'static str,
    support: Support,
    doc: &'static str,
}

impl Property {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        support: Support,
        doc: &'static str,
    ) -> Self {
        Self { name, aliases: &[], kind, default, support, doc }
    }

    /// Adds other names of the same property.
    pub(super) const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Returns the name: Kafka's where Kafka has the property.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the other names of the same property, librdkafka's as a rule.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Returns what is allowed as a value, in words.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    /// Returns the value without a setting; empty where there is none.
    pub fn default(&self) -> &'static str {
        self.default
    }

    /// Returns what becomes of a setting.
    pub fn support(&self) -> Support {
        self.support
    }

    /// Returns what the property does, in one sentence; where a setting has no effect, why.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// Tells whether values are hidden wherever a configuration or an error is printed.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}
