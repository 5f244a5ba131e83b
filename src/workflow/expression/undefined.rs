//! What there is in the place of a name that is not there.

use minijinja::value::{Value, ValueKind};

use super::names::{Names, Path};
use super::view::View;
use crate::events::text::shortened;

/// How many names are listed.
const NAMES_MAX: usize = 12;

/// How much of a value, or of a name, is told, in characters.
const CHARS_MAX: usize = 60;

/// What the first value has, in a sentence, of which an expression looks up something that it does not have. None if that is
/// no name that the source says.
pub(super) fn there_is(source: &str, view: &View) -> Option<String> {
    let names = Names::of(source);
    let mut paths = names.paths.iter().filter(|path| !path.guarded);
    paths.find_map(|path| missed(path, view))
}

fn missed(path: &Path<'_>, view: &View) -> Option<String> {
    let mut value = view.root().get_attr(path.root).ok()?;
    let mut shown = path.root.to_owned();
    for (depth, (name, _)) in path.attributes.iter().enumerate() {
        if value.is_undefined() {
            return None;
        }
        let next = value.get_item(&Value::from(*name)).unwrap_or_default();
        if next.is_undefined() {
            // Which steps there are is known before anything runs, and here are only those that are used.
            let is_told = depth > 0 || path.root != "steps";
            return is_told.then(|| has(&shown, &value));
        }
        shown.push('.');
        shown.push_str(name);
        value = next;
    }
    None
}

/// What a value has, or what it is.
fn has(shown: &str, value: &Value) -> String {
    if value.kind() != ValueKind::Map {
        return format!("`{shown}` is {}", shortened(&value.to_string(), CHARS_MAX));
    }
    let mut names = value.try_iter().into_iter().flatten().map(|name| name.to_string());
    let listed: Vec<String> =
        names.by_ref().take(NAMES_MAX).map(|name| shortened(&name, CHARS_MAX).into_owned()).collect();
    match (listed.is_empty(), names.next()) {
        (true, _) => format!("`{shown}` has nothing"),
        (false, None) => format!("`{shown}` has: {}", listed.join(", ")),
        (false, Some(_)) => format!("`{shown}` has: {}, …", listed.join(", ")),
    }
}
