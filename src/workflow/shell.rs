//! Values in a text for `sh -c`: how they are quoted, and where they would be quoted twice.

use super::json_text::Level;
use super::template::plain;

/// A value as words of a shell command: a list as one word an item, all else as one word.
///
/// # Errors
/// When a text holds a zero byte, which no argument of a program can.
pub(super) fn quoted(json: &str) -> Result<String, String> {
    match Level::of(json) {
        Ok(Level::List(items)) => {
            let words: Result<Vec<_>, _> = items.into_iter().map(|item| word(&plain(item))).collect();
            words.map(|words| words.join(" "))
        }
        _ => word(&plain(json)),
    }
}

/// One word. It is quoted even where that looks needless: `2` before a `>` would name a file descriptor, and `if` is
/// no argument.
fn word(text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("a value in a shell command holds a zero byte".to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}
