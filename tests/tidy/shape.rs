//! What stands where in a file: attributes at its head, tests at its end, no code in a `mod.rs`.

/// Returns the inner attributes of blanked code, without white space.
pub(crate) fn inner_attributes(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("#![") {
        let end = attribute_end(&code[at + 2..]);
        found.push(code[at + 3..at + 2 + end].replace(char::is_whitespace, ""));
    }
    found
}

/// Tells whether an attribute such as `forbid` names a lint at the head of a file.
pub(crate) fn has_lint(code: &str, level: &str, lint: &str) -> bool {
    inner_attributes(code).iter().any(|attribute| {
        let list = attribute.strip_prefix(level).and_then(|rest| rest.strip_prefix('('));
        list.is_some_and(|list| list.trim_end_matches(')').split(',').any(|name| name == lint))
    })
}

/// Returns where the bracket that opens `text` closes.
fn attribute_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Returns what a `mod.rs` holds beside attributes, `mod` lines and re-exports.
pub(crate) fn foreign_items(code: &str) -> Vec<String> {
    let mut rest = code.trim_start();
    let mut items = String::new();
    while let Some(letter) = rest.chars().next() {
        let attribute = ["#![", "#["].into_iter().find(|start| rest.starts_with(start));
        let skipped = match attribute {
            Some(start) => start.len() + attribute_end(&rest[start.len() - 1..]),
            None => {
                items.push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    let items = items.split(';').map(|item| item.split_whitespace().collect::<Vec<_>>().join(" "));
    items.filter(|item| !item.is_empty() && !is_module_or_export(item)).collect()
}

fn is_module_or_export(item: &str) -> bool {
    let after = item.strip_prefix("pub").map_or(item, |rest| match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or(rest, |(_, after)| after),
        None => rest,
    });
    let is_export = after.len() < item.len() && after.trim_start().starts_with("use ");
    is_export || (after.trim_start().starts_with("mod ") && !after.contains('{'))
}

/// Returns the number of lines from the attribute of a file's test module to the file's end; 0 when
/// it has none.
pub(crate) fn test_block_lines(code: &str) -> usize {
    let is_start = |(at, _): &(usize, &str)| {
        let next = code[at + "#[cfg(test)]".len()..].trim_start();
        next.starts_with("mod ") && next.find('{') < next.find(';').or(Some(usize::MAX))
    };
    let start = code.match_indices("#[cfg(test)]").find(is_start);
    start.map_or(0, |(at, _)| code[at..].trim_end().lines().count())
}

#[test]
fn attributes_are_read() {
    let code =
        "#![forbid(unsafe_code)]\n#![deny(\n    clippy::a,\n    clippy::b, reason = \" \"\n)]";
    assert!(has_lint(code, "forbid", "unsafe_code") && has_lint(code, "deny", "clippy::b"));
    assert!(!has_lint(code, "deny", "unsafe_code") && !has_lint(code, "deny", "clippy"));
    assert!(!has_lint("#[forbid(unsafe_code)]", "forbid", "unsafe_code"));
}

#[test]
fn module_files_hold_no_code() {
    let good = "#![forbid(unsafe_code)]\n#[cfg(all(test, loom))]\nmod models;\npub mod a;\n\
                pub(crate) use a::{B, C};\npub use a::D;\n";
    assert_eq!(foreign_items(good), [""; 0]);
    for bad in ["fn f() {}", "use a::B;", "pub struct S;", "mod x { }", "const N: u8 = 1;"] {
        assert_eq!(foreign_items(&format!("mod a;\n{bad}\n")).len(), 1, "{bad}");
    }
}

#[test]
fn test_blocks_are_measured() {
    assert_eq!(test_block_lines("fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n"), 4);
    assert_eq!(test_block_lines("#[cfg(test)]\nmod tests;\nfn f() {\n}\n"), 0);
    assert_eq!(test_block_lines("#[cfg(test)]\nuse a::b;\nfn f() {\n}\n"), 0);
}
