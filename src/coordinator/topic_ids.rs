//! The ids of the topics that a request speaks of (KIP-516).

#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::topic::TopicName;
use crate::wire::Uuid;

/// The ids of all topics of one request, both ways; empty where one is not known, so that the
/// request names its topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicIds {
    by_name: HashMap<TopicName, Uuid>,
    by_id: HashMap<Uuid, TopicName>,
}

impl TopicIds {
    /// Gathers the ids of `names`, which may come more than once, as `id_of` knows them.
    pub fn gather(
        names: impl Iterator<Item = TopicName>,
        id_of: impl Fn(&str) -> Option<Uuid>,
    ) -> Self {
        let mut ids = Self::default();
        for name in names {
            if ids.by_name.contains_key(&name) {
                continue;
            }
            let id = id_of(name.as_str()).filter(|id| !id.is_zero());
            let is_new = id.is_some_and(|id| ids.by_id.insert(id, name.clone()).is_none());
            let Some(id) = id.filter(|_| is_new) else { return Self::default() };
            ids.by_name.insert(name.clone(), id);
        }
        ids
    }

    /// Tells whether topics have to be named.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the id of a topic, zero where it is not known.
    pub fn id_of(&self, name: &str) -> Uuid {
        self.by_name.get(name).copied().unwrap_or(Uuid::ZERO)
    }

    /// Returns the topic of an answer: of this id, or of this name where the answer has names.
    pub fn name_of<'a>(&'a self, id: Uuid, name: &'a str) -> Option<&'a str> {
        match id.is_zero() {
            true => Some(name),
            false => self.by_id.get(&id).map(TopicName::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(names: &[&str]) -> TopicIds {
        let names: Vec<TopicName> = names.iter().map(|name| TopicName::new(name)).collect();
        TopicIds::gather(names.into_iter(), |name| match name {
            "a" | "twin" => Some(Uuid([1; 16])),
            "b" => Some(Uuid([2; 16])),
            "old" => Some(Uuid::ZERO),
            _ => None,
        })
    }

    #[test]
    fn ids_and_names_belong_together() {
        let ids = gather(&["a", "b", "a"]);
        assert_eq!((ids.id_of("a"), ids.id_of("b")), (Uuid([1; 16]), Uuid([2; 16])));
        assert_eq!(ids.name_of(Uuid([2; 16]), ""), Some("b"));
        assert_eq!(ids.name_of(Uuid([3; 16]), ""), None);
        assert_eq!(ids.name_of(Uuid::ZERO, "c"), Some("c"));
    }

    #[test]
    fn one_topic_without_an_id_of_its_own_is_enough_to_name_them_all() {
        for names in [&["a", "unknown"][..], &["old", "b"], &["a", "twin"], &[]] {
            assert!(gather(names).is_empty(), "{names:?}");
        }
    }
}
