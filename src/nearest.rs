//! Finds the known word that a mistyped one most likely meant.

#![forbid(unsafe_code)]

use std::iter::once;

/// Longer words are compared by this many characters: no property name comes near.
const COMPARED_CHARS_MAX: usize = 64;

/// Returns the candidate with the fewest edits from `word`, the first of several as near.
///
/// Case does not count: `Fetch.Min.Bytes` is nearest to `fetch.min.bytes`.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = folded(word);
    candidates.min_by_key(|candidate| distance(&word, &folded(candidate)))
}

fn folded(word: &str) -> Vec<char> {
    word.chars().take(COMPARED_CHARS_MAX).map(|c| c.to_ascii_lowercase()).collect()
}

/// Counts insertions, deletions, substitutions and swaps of neighbours between two words
/// (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut row: Vec<usize> = once(i + 1).chain(to.iter().map(|_| 0)).collect();
        for (j, &b) in to.iter().enumerate() {
            let substituted = last[j] + usize::from(a != b);
            row[j + 1] = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && from[i - 1] == b {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(from: &str, to: &str) -> usize {
        distance(&folded(from), &folded(to))
    }

    #[test]
    fn counts_each_kind_of_edit_once() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("fetch", "fetsh"), 1);
        assert_eq!(edits("fetch", "fecth"), 1);
        assert_eq!(edits("fetch", "ftch"), 1);
        assert_eq!(edits("fetch", "fetcch"), 1);
        assert_eq!(edits("FETCH", "fetch"), 0);
        assert_eq!(edits("ca", "abc"), 3);
    }

    #[test]
    fn takes_the_first_of_equals() {
        assert_eq!(nearest("b", ["a", "c"].into_iter()), Some("a"));
        assert_eq!(nearest("b", [].into_iter()), None);
    }
}
