//! The house stays in order: invariants of the sources, phrased as absences. `proofs` breaks each on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use house::{House, Source};
use reenact::events::problem::Remedies;
use rules::{Floor, Ignorance, Tolerated};
use words::CommandLine;

mod code;
mod house;
mod paths;
mod proofs;
mod rules;
mod words;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// The rooms, from the lowest up, and what stands beside them.
const FLOORS: &[Floor] = &[
    ("events", &[]),
    ("files", &[]),
    ("store", &["events", "files"]),
    ("kernel", &["events"]),
    ("workflow", &["kernel"]),
    ("text_file", &["workflow"]),
    ("aggregates", &["workflow"]),
    // Read models lie in the store.
    ("views", &["aggregates", "store"]),
    ("executors", &["aggregates", "files", "text_file"]),
    ("testing", &["executors", "store"]),
    ("actors", &["executors", "views", "store"]),
    ("config", &["actors"]),
    ("api", &["config"]),
    // What programs need that embed it.
    ("prelude", &["api"]),
    ("ui", &["api"]),
    ("cli", &["ui", "api"]),
    ("main", &["cli"]),
];

/// Circles that are still to be broken. A folder that gets another, or a larger one, fails; so does a row that has become
/// too long.
const CIRCLES: &[Tolerated] = &[("src/testing/saga", &["inject", "scenario"])];

const IGNORANCE: &[Ignorance] = &[
    // The pure core: no async, no actors, no store, no clock, no randomness, no logging, no files, no environment.
    Ignorance {
        of: &["src/events", "src/kernel", "src/workflow", "src/aggregates"],
        except: &[],
        words: &[
            "async",
            "tokio",
            "actix",
            "sled",
            "SystemTime",
            "Instant::now",
            "rand",
            "RandomState",
            "tracing",
            "std::fs",
            "std::env",
            "println!",
        ],
    },
    // What hosts anything knows no kind of it.
    Ignorance {
        of: &["src/kernel", "src/actors/hosting"],
        except: &[],
        words: &["crate::aggregates", "crate::events::run", "RUN_KIND", "RunId", "AgentName", "StepId"],
    },
    Ignorance { of: &["src"], except: &["src/events/codec.rs"], words: &["bincode"] },
    Ignorance {
        of: &["src"],
        except: &["src/store/sled"],
        words: &["::sled", "sled::Db", "sled::Tree", "sled::Config", "sled::open"],
    },
    // Start-up wiring is the one other place.
    Ignorance {
        of: &["src"],
        except: &["src/actors", "src/api/holder.rs", "src/cli/mod.rs"],
        words: &["actix"],
    },
    // To a store an event is a name, a number and bytes.
    Ignorance { of: &["src/store"], except: &[], words: &["RunEvent"] },
    // What is written to a terminal goes through one place, which takes escaped texts.
    Ignorance {
        of: &["src"],
        except: &["src/cli/say.rs", "src/cli/replay/screen.rs"],
        words: &["io::stdout", "println!", "eprintln!", "print!", "eprint!"],
    },
    Ignorance {
        of: &["src"],
        except: &["src/cli/say.rs", "src/cli/replay/screen.rs", "src/cli/log.rs"],
        words: &["io::stderr"],
    },
    // Only a medium and its macro say what is escaped.
    Ignorance { of: &["src"], except: &["src/views/escaped.rs"], words: &["of_macro"] },
    Ignorance {
        of: &["src"],
        except: &["src/views/escaped.rs", "src/views/markdown.rs", "src/cli/text"],
        words: &["of_medium"],
    },
    // Deciding is the aggregates'.
    Ignorance { of: &["src/actors"], except: &[], words: &["RunEvent::"] },
    Ignorance { of: &["src"], except: &[], words: &["todo!", "unimplemented!"] },
];

/// All of the crate's own files, without what only tests compile.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    sources("src").iter().map(|file| Source::new(&file.to_string_lossy(), &read(file))).collect()
});
static HOUSE: LazyLock<House<'_>> = LazyLock::new(|| House::of(&SOURCES));

#[test]
fn every_room_knows_only_what_it_may() {
    let found: Vec<_> = IGNORANCE.iter().flat_map(|rule| rules::known(&SOURCES, &HOUSE, rule)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// What a medium is called by is for those to say who speak to its people: other rooms tell as data what helps.
#[test]
fn nothing_below_the_command_line_names_its_verbs_its_options_or_the_docs() {
    let help = |words: &[&str]| {
        let mut reenact = Command::new(env!("CARGO_BIN_EXE_reenact"));
        String::from_utf8(reenact.args(words).arg("--help").output().unwrap().stdout).unwrap()
    };
    let command_line = CommandLine::of(&help);
    let (verbs, options) = command_line.size();
    assert!(verbs > 15 && options > 20, "{verbs} {options}");
    let media = ["api", "ui", "cli", "main"];
    let rooms: Vec<_> = FLOORS.iter().map(|(room, _)| *room).filter(|room| !media.contains(room)).collect();
    let found = command_line.named(&SOURCES, &HOUSE, &rooms);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn imports_run_one_way() {
    let found = rules::upwards(&HOUSE, FLOORS);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_siblings_know_each_other_in_a_circle() {
    let found = rules::circles(&HOUSE, CIRCLES);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_to_be_done_in_a_comment() {
    let notes = |file: &PathBuf| ["FIXME", "TODO"].iter().any(|note| read(file).contains(note));
    let found: Vec<_> = sources("src").into_iter().filter(notes).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<_> = ["src", "tests", "examples", "benches"]
        .iter()
        .flat_map(|room| sources(room))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut long = Vec::new();
    for file in ["src", "tests", "examples", "benches"].iter().flat_map(|room| sources(room)) {
        let functions = code::functions(&read(&file)).into_iter();
        long.extend(functions.filter(|function| function.lines > FUNCTION_LINES_MAX).map(|function| {
            format!("{}:{}: {}: {} lines", file.display(), function.line, function.name, function.lines)
        }));
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn every_error_code_is_explained_in_the_docs() {
    let docs = read(Path::new("docs/errors.md"));
    let call = reenact::api::wording::Call::default();
    let wanted: Vec<_> = reenact::events::problem::Code::ALL
        .iter()
        .map(|code| {
            let hint = call.hint(&Remedies::of(code.remedies()));
            format!("| `{}` | {} | {} | {hint} |", code.text(), code.class(), code.meaning())
        })
        .collect();
    let missing: Vec<_> = wanted.iter().filter(|row| !docs.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks:\n{}", wanted.join("\n"));
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of a folder, relative to the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    found
}
