//! The exceptions from the rules: a list that may only shrink.

use std::collections::BTreeMap;

const LIST: &str = include_str!("exceptions.txt");

/// What a rule found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Compares what a rule found with its exceptions.
///
/// # Panics
///
/// When a file has more violations than the list grants it, or fewer: then the list is to shrink.
pub(crate) fn check(rule: &str, violations: &[Violation]) {
    let complaints = compare(rule, violations, LIST);
    assert!(complaints.is_empty(), "{rule}:\n{}", complaints.join("\n"));
}

fn compare(rule: &str, violations: &[Violation], list: &str) -> Vec<String> {
    let mut granted: BTreeMap<&str, usize> =
        entries(list).filter(|entry| entry.0 == rule).map(|entry| (entry.1, entry.2)).collect();
    let mut found: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
    for violation in violations {
        found.entry(&violation.path).or_default().push(violation);
    }
    let mut complaints = Vec::new();
    for (path, violations) in found {
        let count = granted.remove(path).unwrap_or_default();
        if violations.len() > count {
            let line = |found: &&Violation| format!("{path}:{}: {}", found.line, found.text);
            complaints.extend(violations.iter().map(line));
        } else if violations.len() < count {
            complaints.push(format!("{path}: lower its exception to {}", violations.len()));
        }
    }
    complaints.extend(granted.keys().map(|path| format!("{path}: needs no exception any more")));
    complaints
}

/// Lines of rule, path and number of violations; `#` begins a comment.
fn entries(list: &str) -> impl Iterator<Item = (&str, &str, usize)> {
    list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [rule, path, count] = words[..] else { panic!("exceptions.txt: {line}") };
        (rule, path, count.parse().unwrap_or_else(|_| panic!("exceptions.txt: {line}")))
    })
}

/// Holds the rules that the list names to those that there are.
pub(crate) fn check_rules(rules: &[&str]) {
    for (rule, path, _) in entries(LIST) {
        assert!(rules.contains(&rule), "exceptions.txt has an unknown rule: {rule} {path}");
    }
}

#[test]
fn list_must_fit_exactly() {
    let violation = |path: &str, line| Violation { path: path.into(), line, text: "long".into() };
    let found = [violation("a.rs", 1), violation("a.rs", 9), violation("b.rs", 2)];
    assert_eq!(compare("r", &found, "# why\n\nr a.rs 2\nr b.rs 1\nother c.rs 3\n"), [""; 0]);
    assert_eq!(compare("r", &found, "r b.rs 1").len(), 2, "both lines of a.rs are shown");
    assert_eq!(compare("r", &found, "r a.rs 3\nr b.rs 1"), ["a.rs: lower its exception to 2"]);
    assert_eq!(
        compare("r", &found, "r a.rs 2\nr b.rs 1\nr c.rs 1"),
        ["c.rs: needs no exception any more"]
    );
}
