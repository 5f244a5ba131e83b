//! Which module knows which, by what their files name.

use std::collections::{BTreeMap, BTreeSet};

use super::code::Code;
use super::paths::{self, Named};

/// A file, its path below the crate's folder, such as `src/a/b.rs`, and what it says beside its tests.
pub(super) struct Source {
    pub(super) file: String,
    pub(super) code: Code,
    pub(super) named: Vec<Named>,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let code = Code::beside_tests(text);
        Self { file: file.to_owned(), named: paths::named(&code), code }
    }
}

/// The parts of a module's path below the crate; the crate's own file has none.
type Module = Vec<String>;

/// Imports of imports are followed this far: more would be a circle of them.
const IMPORTS_FOLLOWED_MAX: usize = 8;

/// All modules of a crate that are not only for tests.
pub(super) struct House<'s> {
    rooms: BTreeMap<Module, Room<'s>>,
    /// Each module that another names, through however many imports, with the first place that does.
    pub(super) edges: Vec<Edge>,
}

#[derive(Default)]
struct Room<'s> {
    file: &'s str,
    named: Vec<&'s Named>,
    /// What a `use` brings in, by what it is called here.
    imports: BTreeMap<String, Vec<String>>,
    /// Whose names it brings in altogether.
    all_of: Vec<Vec<String>>,
}

/// One module names another, or something in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: Module,
    pub(super) to: Module,
    pub(super) file: String,
    /// File, line, and what stands there.
    pub(super) place: String,
}

/// Siblings in one folder that know each other, directly or through others.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) folder: String,
    pub(super) members: BTreeSet<String>,
    pub(super) edges: Vec<Edge>,
}

impl<'s> House<'s> {
    pub(super) fn of(sources: &'s [Source]) -> Self {
        let is_module = |source: &Source, name: &String| child(&module_of(&source.file), name);
        let tests: Vec<Module> = sources
            .iter()
            .flat_map(|source| source.code.test_modules.iter().map(|name| is_module(source, name)))
            .collect();
        let mut rooms: BTreeMap<Module, Room> = BTreeMap::new();
        for Source { file, named, .. } in sources {
            let module = module_of(file);
            if tests.iter().any(|test| module.starts_with(test)) {
                continue;
            }
            for length in 0..module.len() {
                rooms.entry(module[..length].to_vec()).or_default();
            }
            rooms.entry(module.clone()).or_default().file = file;
            for named in named {
                let room = rooms.entry([module.as_slice(), &named.inside].concat()).or_default();
                room.file = file;
                room.take(named);
            }
        }
        let mut house = Self { rooms, edges: Vec::new() };
        house.edges = house.find_edges();
        house
    }

    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.rooms.values().map(|room| room.file).collect()
    }

    fn find_edges(&self) -> Vec<Edge> {
        let mut edges: BTreeMap<(Module, Module), Edge> = BTreeMap::new();
        for (module, room) in &self.rooms {
            for named in &room.named {
                let mut met = Vec::new();
                self.resolve(module, &named.parts, 0, &mut met);
                for to in met.into_iter().filter(|to| to != module) {
                    let place = format!("{}:{}: {}", room.file, named.line, named.parts.join("::"));
                    let edge = Edge { from: module.clone(), to, file: room.file.to_owned(), place };
                    edges.entry((edge.from.clone(), edge.to.clone())).or_insert(edge);
                }
            }
        }
        edges.into_values().collect()
    }

    /// Where a path leads that stands in `from`, and whether to something in that module; `None` leads out of the crate.
    /// `met` gets all modules on the way that something is taken of.
    fn resolve(
        &self,
        from: &[String],
        parts: &[String],
        depth: usize,
        met: &mut Vec<Module>,
    ) -> Option<(Module, bool)> {
        let (first, rest) = parts.split_first()?;
        if depth > IMPORTS_FOLLOWED_MAX {
            return None;
        }
        match first.as_str() {
            "crate" | "reenact" => self.walk(&[], rest, depth, met),
            "self" => self.walk(from, rest, depth, met),
            "super" => {
                let ups = parts.iter().take_while(|part| *part == "super").count();
                let above = from.get(..from.len().checked_sub(ups)?)?;
                self.walk(above, &parts[ups..], depth, met)
            }
            _ => {
                let is_here = self.rooms.contains_key(&child(from, first))
                    || self.rooms.get(from).is_some_and(|room| room.brings(first));
                if is_here {
                    return self.walk(from, parts, depth, met);
                }
                let all_of = self.rooms.get(from).map_or(&[][..], |room| &room.all_of);
                all_of.iter().find_map(|all| {
                    let (source, is_item) = self.resolve(from, all, depth + 1, &mut Vec::new())?;
                    let knows = self.rooms.contains_key(&child(&source, first))
                        || self.rooms.get(&source).is_some_and(|room| room.brings(first));
                    if is_item || !knows {
                        return None;
                    }
                    self.walk(&source, parts, depth + 1, met)
                })
            }
        }
    }

    /// Goes on from a module, through children and imports, to what is named last.
    fn walk(
        &self,
        from: &[String],
        parts: &[String],
        depth: usize,
        met: &mut Vec<Module>,
    ) -> Option<(Module, bool)> {
        let mut module = from.to_vec();
        for (at, part) in parts.iter().enumerate() {
            let below = child(&module, part);
            if self.rooms.contains_key(&below) {
                module = below;
                continue;
            }
            met.push(module.clone());
            let room = self.rooms.get(&module)?;
            let import = room.imports.get(part).filter(|path| path.as_slice() != [part.clone()]);
            let imported = import.map(|path| [path.as_slice(), &parts[at + 1..]].concat());
            if let Some(path) = imported {
                return self.resolve(&module, &path, depth + 1, met);
            }
            return Some((module, true));
        }
        met.push(module.clone());
        Some((module, false))
    }

    /// The circles among the children of every module.
    pub(super) fn circles(&self) -> Vec<Circle> {
        let mut folders: BTreeMap<Module, Vec<Edge>> = BTreeMap::new();
        for edge in &self.edges {
            let shared = edge.from.iter().zip(&edge.to).take_while(|(from, to)| from == to).count();
            // One of the two holds the other: a module and its parts may know each other.
            if shared < edge.from.len() && shared < edge.to.len() {
                folders.entry(edge.from[..shared].to_vec()).or_default().push(edge.clone());
            }
        }
        folders.into_iter().flat_map(|(folder, edges)| circles_in(&folder, edges)).collect()
    }
}

impl<'s> Room<'s> {
    fn take(&mut self, named: &'s Named) {
        if let Some(called) = &named.called {
            match named.parts.split_last() {
                Some((last, source)) if last == "*" => self.all_of.push(source.to_vec()),
                _ => {
                    self.imports.insert(called.clone(), named.parts.clone());
                }
            }
        }
        self.named.push(named);
    }

    fn brings(&self, name: &str) -> bool {
        self.imports.get(name).is_some_and(|path| path.as_slice() != [name.to_owned()])
    }
}

fn circles_in(folder: &[String], edges: Vec<Edge>) -> Vec<Circle> {
    let ends = |edge: &Edge| (edge.from[folder.len()].clone(), edge.to[folder.len()].clone());
    let mut reached: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in edges.iter().map(ends) {
        reached.entry(from).or_default().insert(to);
    }
    loop {
        let before: usize = reached.values().map(BTreeSet::len).sum();
        for (from, known) in reached.clone() {
            let further = known.iter().filter_map(|to| reached.get(to)).flatten().cloned().collect();
            reached.entry(from).or_default().append(&mut { further });
        }
        if reached.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    let knows = |from: &String, to: &String| reached.get(from).is_some_and(|known| known.contains(to));
    let mut found: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for name in reached.keys().filter(|name| knows(name, name)) {
        found.insert(
            reached.keys().filter(|other| knows(name, other) && knows(other, name)).cloned().collect(),
        );
    }
    found
        .into_iter()
        .map(|members| {
            let between = |edge: &&Edge| {
                let (from, to) = ends(edge);
                members.contains(&from) && members.contains(&to)
            };
            let edges = edges.iter().filter(between).cloned().collect();
            Circle { folder: folder_of(folder), members, edges }
        })
        .collect()
}

fn folder_of(module: &[String]) -> String {
    [&["src".to_owned()], module].concat().join("/")
}

fn child(module: &[String], name: &str) -> Module {
    [module, &[name.to_owned()]].concat()
}

/// `src/a/mod.rs` and `src/a.rs` are `a`, `src/lib.rs` is the crate; `src/main.rs` stands beside its rooms.
fn module_of(file: &str) -> Module {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Module = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") || path == "lib" {
        parts.pop();
    }
    parts
}
