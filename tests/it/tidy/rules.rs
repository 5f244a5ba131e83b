//! What may not stand in a part of the sources, and which parts may know which.

use std::collections::{BTreeMap, BTreeSet};

use super::code::Code;
use super::house::{Circle, Edge, House, Source};
use super::paths::Named;

/// Which words a part of the house must not know, and which files may all the same.
pub(super) struct Ignorance {
    /// Folders or files.
    pub(super) of: &'static [&'static str],
    /// What a file's path begins with that may know them.
    pub(super) except: &'static [&'static str],
    /// `name` is also what begins with `name_`; `name!` a macro; `crate::a` a module with all below it, however it is
    /// reached; any other `a::b` a part of a path, of a `use` that is spelled out as well, where an empty part at the end is
    /// any, and one at the beginning is none.
    pub(super) words: &'static [&'static str],
}

/// A room, and the rooms right below it: it may know those, and what they may know.
pub(super) type Floor = (&'static str, &'static [&'static str]);

/// Siblings of one folder that know each other although they should not.
pub(super) type Tolerated = (&'static str, &'static [&'static str]);

/// Where a file says what its room must not know.
pub(super) fn known(sources: &[Source], house: &House<'_>, rule: &Ignorance) -> Vec<String> {
    let checked = house.files();
    let concerned = sources.iter().filter(|Source { file, .. }| {
        let is_below = |path: &str| file.strip_prefix(path).is_some_and(|rest| !rest.starts_with('_'));
        checked.contains(file.as_str())
            && rule.of.iter().any(|path| is_below(path))
            && !rule.except.iter().any(|path| is_below(path))
    });
    let mut found = Vec::new();
    for Source { file, code, named } in concerned {
        for word in rule.words {
            if let Some(module) = word.strip_prefix("crate::") {
                let module: Vec<_> = module.split("::").map(str::to_owned).collect();
                let is_there = |edge: &&Edge| edge.file == *file && edge.to.starts_with(&module);
                found.extend(house.edges.iter().filter(is_there).map(|edge| edge.place.clone()));
                continue;
            }
            found.extend(
                lines_with(code, named, word).into_iter().map(|line| format!("{file}:{line}: {word}")),
            );
        }
    }
    found
}

fn lines_with(code: &Code, named: &[Named], word: &str) -> BTreeSet<usize> {
    if let Some(name) = word.strip_suffix('!') {
        let calls = code.tokens.windows(2).filter(|pair| pair[0].text == name && pair[1].text == "!");
        return calls.map(|pair| pair[0].line).collect();
    }
    if word.contains("::") {
        let wanted: Vec<&str> = word.split("::").collect();
        let is_there = |named: &&Named| {
            named.parts.windows(wanted.len()).any(|parts| {
                parts
                    .iter()
                    .zip(&wanted)
                    .enumerate()
                    .all(|(at, (part, wanted))| part == wanted || (at > 0 && wanted.is_empty()))
            })
        };
        return named.iter().filter(is_there).map(|named| named.line).collect();
    }
    let is_it =
        |text: &str| text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    code.tokens.iter().filter(|token| token.is_name && is_it(&token.text)).map(|token| token.line).collect()
}

/// Where a room knows one that does not stand below it.
pub(super) fn upwards(house: &House<'_>, floors: &[Floor]) -> Vec<String> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> =
        floors.iter().map(|(room, next)| (*room, next.iter().copied().collect())).collect();
    for _ in floors {
        for (room, known) in below.clone() {
            let further: Vec<&str> =
                known.iter().filter_map(|next| below.get(next)).flatten().copied().collect();
            below.entry(room).or_default().extend(further);
        }
    }
    let mut found = Vec::new();
    for edge in &house.edges {
        let (Some(from), Some(to)) = (edge.from.first(), edge.to.first()) else { continue };
        match below.get(from.as_str()) {
            None => found.push(format!("`{from}` stands nowhere among the rooms")),
            Some(known) if from == to || known.contains(to.as_str()) => {}
            Some(_) => found.push(format!("{}: `{from}` stands below `{to}`, or beside it", edge.place)),
        }
    }
    found
}

/// Circles that are not tolerated, with what makes them; and what is tolerated that is not there any more.
pub(super) fn circles(house: &House<'_>, tolerated: &[Tolerated]) -> Vec<String> {
    let found = house.circles();
    let is_of = |circle: &Circle, (folder, members): &Tolerated| {
        circle.folder == *folder && circle.members.iter().all(|name| members.contains(&name.as_str()))
    };
    let mut told = Vec::new();
    for circle in found.iter().filter(|circle| !tolerated.iter().any(|known| is_of(circle, known))) {
        let members = circle.members.iter().cloned().collect::<Vec<_>>().join(", ");
        told.push(format!("{}: {members} know each other in a circle:", circle.folder));
        let depth = circle.folder.split('/').count() - 1;
        for edge in &circle.edges {
            told.push(format!("  {} knows {}: {}", edge.from[depth], edge.to[depth], edge.place));
        }
    }
    for known in tolerated {
        let left: BTreeSet<&str> = found
            .iter()
            .filter(|circle| is_of(circle, known))
            .flat_map(|circle| circle.members.iter().map(String::as_str))
            .collect();
        let gone: Vec<&str> = known.1.iter().copied().filter(|name| !left.contains(name)).collect();
        if !gone.is_empty() {
            told.push(format!("{}: {} are in order now: tolerate them no longer", known.0, gone.join(", ")));
        }
    }
    told
}
