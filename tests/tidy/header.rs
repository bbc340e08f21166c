//! Names in the C header begin with `kfetch_` or `KFETCH_`.

/// Returns the names that a header puts into every program that includes it, without the prefix.
pub(crate) fn unprefixed(header: &str) -> Vec<String> {
    // C's comments and strings are Rust's, as far as a header goes.
    let code = crate::blank::blank(&header.replace("extern \"C\"", ""));
    let (directives, code) = split_directives(&code);
    let mut names: Vec<String> = directives.iter().filter_map(|line| macro_name(line)).collect();
    names.extend(declared(&code));
    let has_prefix = |name: &String| name.starts_with("kfetch_") || name.starts_with("KFETCH_");
    names.retain(|name| !has_prefix(name));
    names
}

/// Parts preprocessor lines from the rest; what only C++ sees is a bracket around the declarations.
fn split_directives(code: &str) -> (Vec<String>, String) {
    let (mut directives, mut rest, mut only_cpp) = (Vec::new(), String::new(), false);
    for line in code.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["#ifdef", "__cplusplus"] => only_cpp = true,
            ["#endif", ..] => only_cpp = false,
            [first, ..] if first.starts_with('#') => directives.push(line.to_owned()),
            _ if only_cpp => {}
            _ => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    (directives, rest)
}

fn macro_name(line: &str) -> Option<String> {
    let definition = line.trim_start().strip_prefix("#define")?.trim_start();
    Some(definition.chars().take_while(|letter| is_name(*letter)).collect())
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Names and single signs, in order.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_name = false;
    for letter in code.chars() {
        match tokens.last_mut() {
            Some(last) if in_name && is_name(letter) => last.push(letter),
            _ if letter.is_whitespace() => {}
            _ => tokens.push(letter.to_string()),
        }
        in_name = is_name(letter);
    }
    tokens
}

/// Names of functions, of types, and of the constants of enums; not of fields and parameters.
fn declared(code: &str) -> Vec<String> {
    let tokens = tokens(code);
    let at = |index: usize| tokens.get(index).map_or("", String::as_str);
    let (mut names, mut braces, mut brackets, mut in_enum) = (Vec::new(), 0, 0, false);
    for (index, token) in tokens.iter().enumerate() {
        let before = |count: usize| at(index.wrapping_sub(count));
        match token.as_str() {
            "{" => {
                braces += 1;
                in_enum = before(1) == "enum" || before(2) == "enum";
            }
            "}" => {
                braces -= 1;
                in_enum = false;
            }
            "(" => brackets += 1,
            ")" => brackets -= 1,
            _ => {}
        }
        let is_word = token.starts_with(|letter| is_name(letter) && !letter.is_numeric());
        let is_declared = match (braces, brackets, at(index + 1)) {
            _ if in_enum => ["{", ","].contains(&before(1)),
            // The name in a pointer to a function.
            (0, 1, _) => before(1) == "*" && before(2) == "(",
            (0, 0, "(") => at(index + 2) != "*",
            (0, 0, ";") => true,
            (0, 0, _) => ["struct", "enum", "union"].contains(&before(1)),
            _ => false,
        };
        if is_word && is_declared {
            names.push(token.clone());
        }
    }
    names
}

#[test]
fn names_without_prefix_are_found() {
    let good = "/* typedef int bad; */\n#ifndef KFETCH_H\n#define KFETCH_H 1\n#include <stdint.h>\n\
        #ifdef __cplusplus\nextern \"C\" {\n#endif\n\
        typedef struct kfetch_consumer kfetch_consumer;\n\
        typedef struct { const uint8_t *data; size_t len; } kfetch_bytes;\n\
        typedef int32_t kfetch_status;\n\
        enum kfetch_kind { KFETCH_KIND_A = -1, KFETCH_KIND_B };\n\
        typedef void (*kfetch_log_callback)(int level, const char *text, void *opaque);\n\
        kfetch_status kfetch_poll(kfetch_consumer *consumer, void (*call)(int), size_t len);\n\
        #ifdef __cplusplus\n}\n#endif\n#endif\n";
    assert_eq!(unprefixed(good), [""; 0]);
    for (bad, name) in [
        ("#define MAX 1", "MAX"),
        ("typedef struct record { int a; } kfetch_record;", "record"),
        ("typedef struct kfetch_record { int a; } record;", "record"),
        ("enum kfetch_kind { A = 1, KFETCH_B };", "A"),
        ("enum { KFETCH_A, B };", "B"),
        ("int poll(int kfetch_x);", "poll"),
        ("typedef void (*callback)(int);", "callback"),
    ] {
        assert_eq!(unprefixed(bad), [name], "{bad}");
    }
}
