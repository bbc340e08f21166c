use proptest::prelude::*;

use super::*;

/// What a text holds, `None` where it is refused.
type Vector = (&'static str, Option<&'static [(&'static str, &'static str)]>);

/// What `java.util.Properties.load(Reader)` of JDK 17 answers, recorded once.
#[rustfmt::skip]
const BY_JAVA: &[Vector] = &[
    ("", Some(&[])),
    ("a=b", Some(&[("a", "b")])),
    ("a:b", Some(&[("a", "b")])),
    ("a b", Some(&[("a", "b")])),
    ("a\tb", Some(&[("a", "b")])),
    ("a\u{c}b", Some(&[("a", "b")])),
    ("a", Some(&[("a", "")])),
    ("a=", Some(&[("a", "")])),
    ("a =", Some(&[("a", "")])),
    ("a = b ", Some(&[("a", "b ")])),
    ("  a=b", Some(&[("a", "b")])),
    ("\t\u{c}a = b", Some(&[("a", "b")])),
    ("a  =  b", Some(&[("a", "b")])),
    ("a : = b", Some(&[("a", "= b")])),
    ("a = : b", Some(&[("a", ": b")])),
    ("a == b", Some(&[("a", "= b")])),
    ("a : : b", Some(&[("a", ": b")])),
    ("a   b = c", Some(&[("a", "b = c")])),
    ("=b", Some(&[("", "b")])),
    (":b", Some(&[("", "b")])),
    (" = b", Some(&[("", "b")])),
    ("a=b=c", Some(&[("a", "b=c")])),
    ("a=b:c", Some(&[("a", "b:c")])),
    ("a=b c", Some(&[("a", "b c")])),
    ("a=b\n", Some(&[("a", "b")])),
    ("a=b\r\nc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\rc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\n\rc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\n\n\nc=d", Some(&[("a", "b"), ("c", "d")])),
    ("#a=b", Some(&[])),
    ("!a=b", Some(&[])),
    ("  #a=b\nc=d", Some(&[("c", "d")])),
    ("\u{c}!a=b\nc=d", Some(&[("c", "d")])),
    ("#a\\\nb=c", Some(&[("b", "c")])),
    ("!a\\\r\nb=c", Some(&[("b", "c")])),
    ("a=b#c", Some(&[("a", "b#c")])),
    ("a=#b", Some(&[("a", "#b")])),
    ("a=!b", Some(&[("a", "!b")])),
    ("a#=b", Some(&[("a#", "b")])),
    ("a=b\\\nc", Some(&[("a", "bc")])),
    ("a=b\\\n   c", Some(&[("a", "bc")])),
    ("a=b\\\r\n\t c", Some(&[("a", "bc")])),
    ("a=b\\\rc", Some(&[("a", "bc")])),
    ("a=b\\\\\nc=d", Some(&[("a", "b\\"), ("c", "d")])),
    ("a=b\\\\\\\nc=d", Some(&[("a", "b\\c=d")])),
    ("a=b\\\n#c", Some(&[("a", "b#c")])),
    ("a=b\\\n  #c\nd=e", Some(&[("a", "b#c"), ("d", "e")])),
    ("a=b\\\n\nc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\\\n   \nc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\\", Some(&[("a", "b")])),
    ("a=b\\\n", Some(&[("a", "b")])),
    ("a=b\\\\", Some(&[("a", "b\\")])),
    ("a\\", Some(&[("a", "")])),
    ("\\\n\n", Some(&[])),
    ("\\\na=b", Some(&[("a", "b")])),
    ("\\\n#a=b", Some(&[])),
    ("\\\n  #a=b\nc=d", Some(&[("c", "d")])),
    ("a\\\nb=c", Some(&[("ab", "c")])),
    ("a\\\n  b=c", Some(&[("ab", "c")])),
    ("a\\\n =c", Some(&[("a", "c")])),
    ("a=\\\n  b", Some(&[("a", "b")])),
    ("a=\\t\\n\\r\\f", Some(&[("a", "\t\n\r\u{c}")])),
    ("a=\\b\\q\\z", Some(&[("a", "bqz")])),
    ("a=\\\"x\\\"", Some(&[("a", "\"x\"")])),
    ("a=\\'x", Some(&[("a", "'x")])),
    ("a\\=b=c", Some(&[("a=b", "c")])),
    ("a\\:b:c", Some(&[("a:b", "c")])),
    ("a\\ b=c", Some(&[("a b", "c")])),
    ("a\\ b c", Some(&[("a b", "c")])),
    ("\\#a=b", Some(&[("#a", "b")])),
    ("\\!a=b", Some(&[("!a", "b")])),
    ("a=\\ b", Some(&[("a", " b")])),
    ("a= \\ b", Some(&[("a", " b")])),
    ("a=b\\ ", Some(&[("a", "b ")])),
    ("a\\\\=b", Some(&[("a\\", "b")])),
    ("a\\\\\\=b=c", Some(&[("a\\=b", "c")])),
    ("\\ a=b", Some(&[(" a", "b")])),
    ("\\=\\:\\ =x", Some(&[("=: ", "x")])),
    ("a\\tb=c", Some(&[("a\tb", "c")])),
    ("a\\nb=c", Some(&[("a\nb", "c")])),
    ("a=\\u0041", Some(&[("a", "A")])),
    ("a=\\u0041b", Some(&[("a", "Ab")])),
    ("a=\\u00e9", Some(&[("a", "\u{e9}")])),
    ("a=\\u20AC", Some(&[("a", "\u{20ac}")])),
    ("a=\\u20ac", Some(&[("a", "\u{20ac}")])),
    ("a=\\uD83D\\uDE00", Some(&[("a", "\u{1f600}")])),
    ("\\u0061=b", Some(&[("a", "b")])),
    ("\\u0020a=b", Some(&[(" a", "b")])),
    ("a\\u003db=c", Some(&[("a=b", "c")])),
    ("a=\\u0000", Some(&[("a", "\u{0}")])),
    ("a=\\u", None),
    ("a=\\u1", None),
    ("a=\\u12", None),
    ("a=\\u123", None),
    ("a=\\u123g", None),
    ("a=\\uuuu0041", None),
    ("a=\\U0041", Some(&[("a", "U0041")])),
    ("a=\\u 041", None),
    ("a=\\u+041", None),
    ("a=\\u00\\\n41", Some(&[("a", "A")])),
    ("a\\u", None),
    ("#\\u\na=b", Some(&[("a", "b")])),
    ("a=\\\\u", Some(&[("a", "\\u")])),
    ("a=\\\\u0041", Some(&[("a", "\\u0041")])),
    ("a=1\na=2", Some(&[("a", "1"), ("a", "2")])),
    ("a=1\nb=2\na=3", Some(&[("a", "1"), ("b", "2"), ("a", "3")])),
    ("a=\u{e9}", Some(&[("a", "\u{e9}")])),
    ("\u{e9}=a", Some(&[("\u{e9}", "a")])),
    ("a=\u{1f600}", Some(&[("a", "\u{1f600}")])),
    ("\u{feff}a=b", Some(&[("\u{feff}a", "b")])),
    ("a\u{a0}b=c", Some(&[("a\u{a0}b", "c")])),
    ("a\u{85}b=c", Some(&[("a\u{85}b", "c")])),
    ("a=b\u{2028}c=d", Some(&[("a", "b\u{2028}c=d")])),
    ("a=b\u{b}c", Some(&[("a", "b\u{b}c")])),
    ("a\u{b}b=c", Some(&[("a\u{b}b", "c")])),
    ("a=b\u{0}c", Some(&[("a", "b\u{0}c")])),
    ("a=b\u{1a}c", Some(&[("a", "b\u{1a}c")])),
    ("   \n\t\n\u{c}\na=b", Some(&[("a", "b")])),
    ("a=b \t\u{c}", Some(&[("a", "b \t\u{c}")])),
    ("a=\\\n", Some(&[("a", "")])),
    ("a=\\\n\\\n\\\nb", Some(&[("a", "b")])),
    ("a=b\\\n  \\\n  c", Some(&[("a", "bc")])),
    ("a=b\\\n!c", Some(&[("a", "b!c")])),
    ("a,b;c=d", Some(&[("a,b;c", "d")])),
    ("a=b\\\r", Some(&[("a", "b")])),
    ("a=b\\\r\n", Some(&[("a", "b")])),
    ("a=b\\\r\n\nc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=b\\\n\rc=d", Some(&[("a", "b"), ("c", "d")])),
    ("a=\\\\\\", Some(&[("a", "\\")])),
    ("a.b-c_d = [x]{y}(z)", Some(&[("a.b-c_d", "[x]{y}(z)")])),
    ("#", Some(&[])),
    ("!", Some(&[])),
    ("#\n", Some(&[])),
    ("a=b\n#", Some(&[("a", "b")])),
    ("a=b\n#c\\", Some(&[("a", "b")])),
    ("a=b\n   ", Some(&[("a", "b")])),
    ("a=b\\\n   ", Some(&[("a", "b")])),
    (" a\\ \\\n b = c\\ \\\n d ", Some(&[("a b", "c d ")])),
    ("k\\\u{e9}=v", Some(&[("k\u{e9}", "v")])),
    ("a=\\\t b", Some(&[("a", "\t b")])),
    ("a \\\n = b", Some(&[("a", "b")])),
    ("a = \\\n = b", Some(&[("a", "= b")])),
    ("\\\n   ", Some(&[])),
    ("\\\n  \n a=b", Some(&[("a", "b")])),
    ("a=b\\\n  ", Some(&[("a", "b")])),
    ("#x\r\n!y\r\na=b\r\n", Some(&[("a", "b")])),
    ("a=b\\\n\\", Some(&[("a", "b")])),
    ("x\\\n\\\\\ny=z", Some(&[("x\\", ""), ("y", "z")])),
];

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let entries = parse(text).ok()?;
    Some(entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
}

#[test]
fn agrees_with_java() {
    for (text, expected) in BY_JAVA {
        let expected = expected.map(|pairs| {
            let owned = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            owned.collect::<Vec<_>>()
        });
        assert_eq!(pairs(text), expected, "{text:?}");
    }
}

#[test]
fn refuses_half_a_surrogate_pair_that_java_keeps() {
    for text in ["a=\\ud800", "a=\\ud83dx", "a=\\ud83d\\u0041", "a=\\ude00\\ud83d", "a=\\ud83d\\n"]
    {
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.fault), (1, Fault::Surrogate), "{text:?}");
    }
}

#[test]
fn a_backslash_that_joins_nothing_is_no_entry() {
    for text in ["\\", "\\\n", "\\\r", "\\\r\n", "\\\n\\\n", "# a\n \\\n"] {
        assert_eq!(pairs(text), Some(Vec::new()), "{text:?}");
    }
}

#[test]
fn a_fault_has_its_line_and_property() {
    let error = parse("a=1\r\n# \\u\rb=\\\n  2\n\nsasl.password = x\\\n \\u12\n").unwrap_err();
    let name = Some("sasl.password".to_owned());
    assert_eq!(error, FormatError { line: 6, name, fault: Fault::Digits });
    let error = parse("\\\n\\\n\na\\u00=b").unwrap_err();
    assert_eq!(error, FormatError { line: 4, name: None, fault: Fault::Digits });
}

#[test]
fn an_entry_has_the_line_where_it_starts() {
    let lines = |text| parse(text).unwrap().iter().map(|entry| entry.line).collect::<Vec<_>>();
    assert_eq!(lines("a=1\nb=2\r\nc=3\rd=4"), [1, 2, 3, 4]);
    assert_eq!(lines("\n#\n\na=\\\n 1\\\n 2\nb=3"), [4, 7]);
}

#[test]
fn a_file_is_utf8_with_or_without_a_mark() {
    assert_eq!(decode(b"a=\xc3\xa9"), Ok("a=\u{e9}"));
    assert_eq!(decode(b"\xef\xbb\xbfa=b"), Ok("a=b"));
    let error = decode(b"a=1\r\nb=2\rc=3\nd=\xe9\ne=5").unwrap_err();
    assert_eq!(error, FormatError { line: 4, name: None, fault: Fault::NotUtf8 });
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(name in "[^\u{0}]{0,20}", value in any::<String>()) {
        let text = format_entry(&name, &value) + "\n";
        let entry = Entry { name, value, line: 1 };
        prop_assert_eq!(parse(&text), Ok(vec![entry]));
    }

    #[test]
    fn any_bytes_give_entries_or_a_line_of_the_text(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "[ab0u=: \t\u{c}#!\\\\\r\n]{0,60}".prop_map(String::into_bytes),
        ],
    ) {
        let lines = bytes.iter().filter(|b| matches!(b, b'\r' | b'\n')).count() + 1;
        match decode(&bytes).and_then(parse) {
            Ok(entries) => prop_assert!(entries.iter().all(|e| (1..=lines).contains(&e.line))),
            Err(error) => prop_assert!((1..=lines).contains(&error.line)),
        }
    }
}
