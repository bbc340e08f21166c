//! The sections of the table as one, and properties by name.

#![forbid(unsafe_code)]

use std::iter::once;
use std::sync::LazyLock;

use super::super::property::Property;
use super::{client, connection, fetch, group, sasl, tls};

static SECTIONS: [&[Property]; 6] = [
    client::PROPERTIES,
    fetch::PROPERTIES,
    connection::PROPERTIES,
    group::PROPERTIES,
    tls::PROPERTIES,
    sasl::PROPERTIES,
];

/// All names in order. A list is found by a checker of leaks, a hash map is not.
static BY_NAME: LazyLock<Vec<(&str, &Property)>> = LazyLock::new(|| {
    let mut names: Vec<_> = all_names().collect();
    names.sort_unstable_by_key(|(name, _)| *name);
    names
});

/// Returns every property that a [`Config`](crate::client::config::Config) knows.
pub fn properties() -> impl Iterator<Item = &'static Property> {
    SECTIONS.iter().copied().flatten()
}

/// Returns the property with this name or alias, and the name as the table has it.
pub(in super::super) fn find(name: &str) -> Option<(&'static str, &'static Property)> {
    let place = BY_NAME.binary_search_by_key(&name, |(known, _)| known).ok()?;
    BY_NAME.get(place).copied()
}

/// Returns every name and alias.
pub(in super::super) fn names() -> impl Iterator<Item = &'static str> {
    all_names().map(|(name, _)| name)
}

fn all_names() -> impl Iterator<Item = (&'static str, &'static Property)> {
    properties().flat_map(|property| {
        let aliases = property.aliases().iter().copied();
        once(property.name()).chain(aliases).map(move |name| (name, property))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config::Support;

    #[test]
    fn no_name_stands_twice() {
        assert!(BY_NAME.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn defaults_and_listed_values_are_valid_and_in_the_one_spelling() {
        for property in properties() {
            let listed = match property.support() {
                Support::Warn(values) | Support::NotBuilt(values) => values,
                Support::Built | Support::NoEffect => &[],
            };
            let default = Some(property.default()).filter(|default| !default.is_empty());
            for value in listed.iter().copied().chain(default) {
                let canonical = property.kind().canonical(value);
                assert_eq!(canonical.as_deref(), Ok(value), "{}", property.name());
            }
        }
    }

    #[test]
    fn a_default_is_never_refused() {
        for property in properties() {
            if let Support::NotBuilt(values) = property.support() {
                assert!(values.contains(&property.default()), "{}", property.name());
            }
        }
    }
}
