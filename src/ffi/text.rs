//! Strings for C.

use std::ffi::CString;

/// Makes a string for C; a NUL inside would end it early there, so the sign for one replaces it.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{2400}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_does_not_end_it() {
        assert_eq!(c_string("a\0b").to_str().unwrap(), "a␀b");
        assert_eq!(c_string("").as_c_str(), c"");
    }
}
