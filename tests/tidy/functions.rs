//! How long functions are.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// From the line of `fn` to that of the closing brace, comments and blank lines included.
    pub(crate) lines: usize,
}

/// Finds the functions of blanked code, nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || "_#".contains(letter)) {
            continue;
        }
        let signature = &code[at + 3..];
        let name: String = signature
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        // The type `fn (u8)` has no name.
        let Some(body) = body(signature).filter(|_| !name.is_empty()) else {
            continue;
        };
        let line = code[..at].matches('\n').count() + 1;
        let lines = code[at..at + 3 + body].matches('\n').count() + 1;
        found.push(Function { name, line, lines });
    }
    found
}

/// Returns where the body that follows a signature ends; `None` for a declaration without one.
fn body(signature: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, letter) in signature.char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' if brackets == 0 => braces += 1,
            '}' if brackets == 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the length that 95 of 100 functions do not exceed.
pub(crate) fn percentile_95(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    let rank = (lengths.len() * 95).div_ceil(100);
    rank.checked_sub(1).map_or(0, |index| lengths[index])
}

#[test]
fn functions_are_measured() {
    let code = crate::blank::blank(
        "trait T { fn declared(&self) -> [u8; { 4 }]; }\n\
         pub(crate) const fn one() -> fn (u8) { \"}\" }\n\
         fn two<T>(x: T)\nwhere\n    T: Fn(u8),\n{\n    // }\n    fn three() {\n    }\n}\n\
         const X: u8 = { fn_ten (1) };\n",
    );
    let found: Vec<(String, usize, usize)> =
        functions(&code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    let wanted = [("one", 2, 1), ("two", 3, 8), ("three", 8, 2)];
    assert_eq!(found, wanted.map(|(name, line, lines)| (name.to_owned(), line, lines)));
}

#[test]
fn percentile_is_by_nearest_rank() {
    assert_eq!(percentile_95((1..=100).collect()), 95);
    assert_eq!(percentile_95(vec![7]), 7);
    assert_eq!(percentile_95(Vec::new()), 0);
}
