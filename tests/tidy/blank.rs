//! Rust source with everything but code turned into spaces, so that a scanner meets no brace and no
//! keyword inside a comment, a string or a character literal.

/// Returns the text with comments and the contents of literals as spaces; lines stay lines.
pub(crate) fn blank(text: &str) -> String {
    let mut cursor = Cursor { input: text.chars().collect(), at: 0, output: String::new() };
    while let Some(letter) = cursor.peek(0) {
        match (letter, cursor.peek(1)) {
            ('/', Some('/')) => cursor.line_comment(),
            ('/', Some('*')) => cursor.block_comment(),
            ('"', _) => cursor.string(),
            ('\'', _) => cursor.quote(),
            ('r', _) if cursor.raw_string_hashes().is_some() => cursor.raw_string(),
            _ => cursor.keep(),
        }
    }
    cursor.output
}

struct Cursor {
    input: Vec<char>,
    at: usize,
    output: String,
}

impl Cursor {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.input.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.output.push(self.input[self.at]);
        self.at += 1;
    }

    fn hide(&mut self) {
        let hidden = if self.input[self.at] == '\n' { '\n' } else { ' ' };
        self.output.push(hidden);
        self.at += 1;
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            self.hide();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while let Some(letter) = self.peek(0) {
            match (letter, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.hide();
                    continue;
                }
            }
            self.hide();
            self.hide();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while let Some(letter) = self.peek(0) {
            match letter {
                '"' => return self.keep(),
                '\\' if self.peek(1).is_some() => {
                    self.hide();
                    self.hide();
                }
                _ => self.hide(),
            }
        }
    }

    /// A character literal, or the quote of a lifetime or label.
    fn quote(&mut self) {
        let escaped = self.peek(1) == Some('\\');
        self.keep();
        if escaped {
            self.hide();
            self.hide();
        } else if self.peek(1) != Some('\'') {
            return;
        }
        while let Some(letter) = self.peek(0) {
            if letter == '\'' {
                return self.keep();
            }
            self.hide();
        }
    }

    /// The number of hashes when a raw string begins here: `r"`, `br#"`, but not `r#name`.
    fn raw_string_hashes(&self) -> Option<usize> {
        let before = self.at.checked_sub(1).map(|before| self.input[before]);
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        if before.is_some_and(|letter| is_word(letter) && !"bc".contains(letter)) {
            return None;
        }
        let hashes = self.input[self.at + 1..].iter().take_while(|letter| **letter == '#').count();
        (self.peek(1 + hashes) == Some('"')).then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_string_hashes().unwrap_or_default();
        for _ in 0..hashes + 2 {
            self.keep();
        }
        while let Some(letter) = self.peek(0) {
            if letter == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..=hashes {
                    self.keep();
                }
                return;
            }
            self.hide();
        }
    }
}

#[test]
fn literals_and_comments_are_blanked() {
    let samples = [
        ("a // { }\nb", "a       \nb"),
        ("/* { /* \n */ } */ c", "        \n         c"),
        (r#"x("{\"}", 'a')"#, r#"x("    ", ' ')"#),
        (r"['{', '\'', '\\', b'}']", r"[' ', '  ', '  ', b' ']"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("'outer: loop { break 'outer }", "'outer: loop { break 'outer }"),
        (r##"r#"{"}"# br"\" r#fn"##, r##"r#"   "# br" " r#fn"##),
        (r"'\u{7d}' }", r"'      ' }"),
    ];
    for (given, wanted) in samples {
        assert_eq!(blank(given), wanted, "{given}");
    }
}
