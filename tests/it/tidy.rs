//! The house stays in order: invariants of the sources, phrased as absences.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Which words a part of the house must not know, and which files may all the same.
struct Ignorance {
    of: &'static [&'static str],
    except: &'static [&'static str],
    words: &'static [&'static str],
}

const IGNORANCE: &[Ignorance] = &[
    // The pure core: no async, no actors, no store, no clock, no randomness, no logging, no files, no environment.
    Ignorance {
        of: &["src/events", "src/kernel", "src/workflow", "src/aggregates"],
        except: &[],
        words: &[
            "async ",
            "tokio",
            "actix",
            "sled",
            "SystemTime",
            "Instant::now",
            "rand::",
            "RandomState",
            "tracing",
            "std::fs",
            "std::env::",
            "println!",
            "crate::store",
            "crate::actors",
            "crate::executors",
            "crate::views",
            "crate::api",
            "crate::cli",
            "crate::config",
        ],
    },
    Ignorance {
        of: &["src/events"],
        except: &[],
        words: &["crate::kernel", "crate::workflow", "crate::aggregates"],
    },
    Ignorance { of: &["src/kernel"], except: &[], words: &["crate::workflow", "crate::aggregates"] },
    Ignorance { of: &["src/workflow"], except: &[], words: &["crate::aggregates"] },
    Ignorance { of: &["src"], except: &["src/events/codec.rs"], words: &["bincode::"] },
    Ignorance {
        of: &["src"],
        except: &["src/store/sled"],
        words: &["::sled::Db", "sled::Tree", "sled::Config"],
    },
    // Start-up wiring is the one other place.
    Ignorance {
        of: &["src"],
        except: &["src/actors", "src/api/holder.rs", "src/cli/mod.rs"],
        words: &["actix"],
    },
    Ignorance {
        of: &["src/store"],
        except: &[],
        words: &[
            "crate::kernel",
            "crate::workflow",
            "crate::aggregates",
            "crate::executors",
            "crate::actors",
            "crate::views",
            "crate::api",
            "RunEvent",
        ],
    },
    Ignorance {
        of: &["src/executors"],
        except: &[],
        words: &["crate::store", "crate::actors", "crate::views", "crate::api", "crate::cli"],
    },
    Ignorance { of: &["src/views"], except: &[], words: &["crate::actors", "crate::api", "crate::cli"] },
    // What is written to a terminal goes through one place, which takes escaped texts.
    Ignorance {
        of: &["src"],
        except: &["src/cli/say.rs", "src/cli/replay/steps.rs"],
        words: &["io::stdout", "println!", "eprintln!", "print!("],
    },
    Ignorance {
        of: &["src"],
        except: &["src/cli/say.rs", "src/cli/replay/steps.rs", "src/cli/mod.rs"],
        words: &["io::stderr"],
    },
    // Only a medium and its macro say what is escaped.
    Ignorance { of: &["src"], except: &["src/views/escaped.rs"], words: &["::of_macro"] },
    Ignorance {
        of: &["src"],
        except: &["src/views/escaped.rs", "src/views/markdown.rs", "src/cli/text"],
        words: &["::of_medium"],
    },
    // Deciding is the workflow's.
    Ignorance { of: &["src/actors"], except: &[], words: &["crate::api", "crate::cli", "RunEvent::"] },
    Ignorance { of: &["src/api"], except: &[], words: &["crate::cli"] },
    Ignorance { of: &["src"], except: &[], words: &["todo!", "unimplemented!", "FIXME", "TODO"] },
];

#[test]
fn every_room_knows_only_what_it_may() {
    let mut found = Vec::new();
    for ignorance in IGNORANCE {
        for file in ignorance.of.iter().flat_map(|room| sources(room)) {
            if ignorance.except.iter().any(|path| file.to_string_lossy().starts_with(path)) || is_test(&file)
            {
                continue;
            }
            for (number, line) in read(&file).lines().enumerate() {
                // What stands in a comment or in the tests at the end of a file is not known by the room.
                if line.trim_start().starts_with("#[cfg(test)]") {
                    break;
                }
                let code = line.split("//").next().unwrap_or_default();
                let known = ignorance.words.iter().filter(|word| code.contains(**word));
                found.extend(known.map(|word| format!("{}:{}: {word}", file.display(), number + 1)));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
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
        let text = read(&file);
        let mut open: Option<(usize, usize, &str)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim_start();
            let begins = ["fn ", "pub fn ", "async fn ", "pub async fn ", "const fn ", "pub const fn "];
            let visible =
                code.split_once(") ").filter(|(head, _)| head.starts_with("pub(")).map_or(code, |at| at.1);
            if open.is_none() && begins.iter().any(|begin| visible.starts_with(begin)) && !code.ends_with(';')
            {
                open = Some((number, indent, code));
            }
            let Some((start, depth, name)) = open else { continue };
            if indent == depth && (code.starts_with('}') || code.ends_with('}') || code.ends_with(';')) {
                if number - start + 1 > FUNCTION_LINES_MAX {
                    long.push(format!(
                        "{}:{}: {} lines: {name}",
                        file.display(),
                        start + 1,
                        number - start + 1
                    ));
                }
                open = None;
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn every_error_code_is_explained_in_the_docs() {
    let docs = read(Path::new("docs/errors.md"));
    let wanted: Vec<_> = reenact::events::problem::Code::ALL
        .iter()
        .map(|code| {
            format!("| `{}` | {} | {} | {} |", code.text(), code.class(), code.meaning(), code.hint())
        })
        .collect();
    let missing: Vec<_> = wanted.iter().filter(|row| !docs.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks:\n{}", wanted.join("\n"));
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
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
