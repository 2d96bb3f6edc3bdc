//! Names of Debian packages (Debian Policy 5.6.1), which pages put into a command to be copied: nothing else gets there.

/// The longest name that is kept, in bytes.
pub const MAX_PACKAGE_BYTES: usize = crate::wire::limits::APT_BYTES;

/// Whether a text is a package's name: lower case letters, digits and `+-.`, two at least, beginning with a letter or digit.
/// None that ends with `-`, with which apt removes what is named before it.
pub fn is_package(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (2..=MAX_PACKAGE_BYTES).contains(&text.len())
        && text.bytes().next().is_some_and(alphanumeric)
        && !text.ends_with('-')
        && text.bytes().all(|b| alphanumeric(b) || matches!(b, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_apt_takes_as_a_package_is_one() {
        for name in ["libfoo1", "libstdc++6", "7zip", "libx-1.2-0", "a1"] {
            assert!(is_package(name), "{name}");
        }
        let long = "a".repeat(MAX_PACKAGE_BYTES + 1);
        for text in [
            "",
            "a",
            "Libfoo",
            "-y",
            "+a",
            ".a",
            "lib foo",
            "libfoo;reboot",
            "libfoo\n",
            "$(x)",
            "libé",
            "a=1",
            "a/b",
            "sudo-",
            &long,
        ] {
            assert!(!is_package(text), "{text}");
        }
    }
}
