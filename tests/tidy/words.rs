//! Words that no file of the project may have. They are put together here from parts, so that this
//! file has none of them.

const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("db", "g!(")];

/// Directories of one machine.
const PLACES: [&str; 3] = [concat!("/wo", "rk"), concat!("/ho", "me"), concat!("/ro", "ot")];

const REGISTRIES: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted"),
    concat!("maven", ".apache.org"),
    concat!("maven", ".org"),
    concat!("npm", "js."),
    concat!("proxy", ".golang"),
    concat!("deb", ".debian"),
];

/// Returns the forbidden words of a line.
pub(crate) fn forbidden(line: &str) -> Vec<&'static str> {
    let unfinished = UNFINISHED.into_iter().filter(|word| has_word(line, word));
    let places = PLACES.into_iter().filter(|place| has_place(line, place));
    let registries = REGISTRIES.into_iter().filter(|host| line.contains(host));
    unfinished.chain(places).chain(registries).collect()
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_name) && (word.ends_with('(') || !after.starts_with(is_name))
    })
}

/// The start of an absolute path, not the middle of a relative one.
fn has_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + place.len()..]);
        let is_start = !before.ends_with(|letter| is_name(letter) || "./-}>)*$".contains(letter));
        is_start && !after.starts_with(|letter| is_name(letter) || letter == '-')
    })
}

#[test]
fn forbidden_words_are_found() {
    let [todo, fixme, dbg] = UNFINISHED;
    let [work, home, root] = PLACES;
    for bad in [
        format!("// {todo}: x"),
        fixme.to_owned(),
        format!("    {dbg}x)"),
        format!("cd {work}/main"),
        format!("\"{home}/me\""),
        root.to_owned(),
        format!("https://{}/x", REGISTRIES[0]),
    ] {
        assert_eq!(forbidden(&bad).len(), 1, "{bad}");
    }
    for good in [
        format!("net{work}s"),
        format!("network{work}er"),
        format!("target{work}/x"),
        format!("${{dir}}{home}/x"),
        format!("MY{todo}S"),
        "as ROOT of the tree".to_owned(),
    ] {
        assert_eq!(forbidden(&good), [""; 0], "{good}");
    }
}
