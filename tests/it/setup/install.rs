//! Installing: what the page shows is what is printed, and what the file of the container says fits the sources.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, copy_folder};

/// The lines of a file of the sources, without comments, and with those put together that go on.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let whole = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", " ");
    whole.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn it_builds_with_the_version_that_the_crate_needs_and_runs_as_nobody_special() {
    let instructions = instructions();
    let of =
        |name: &str| instructions.iter().filter(|line| line.starts_with(name)).cloned().collect::<Vec<_>>();
    let (from, last) =
        (of("FROM "), instructions.iter().rposition(|line| line.starts_with("FROM ")).unwrap());
    let needed = format!("FROM rust:{}", env!("CARGO_PKG_RUST_VERSION"));
    assert!(from.len() == 2 && from[0].starts_with(&needed) && !from[1].contains("rust"), "{from:?}");
    let user = instructions[last..].iter().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(!["root", "0", "0:0"].contains(&user.trim()), "it runs as root");
    assert!(instructions[last..].iter().any(|line| line.starts_with("VOLUME ")), "{instructions:?}");
    assert!(instructions.iter().any(|line| line == "ENTRYPOINT [\"reenact\"]"), "{instructions:?}");
}

#[test]
fn what_it_copies_is_there_and_all_that_the_build_reads_is_copied() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let instructions = instructions();
    let copied: Vec<String> = instructions
        .iter()
        .filter(|line| line.starts_with("COPY ") && !line.contains("--from="))
        .flat_map(|line| {
            let words: Vec<_> = line.split_whitespace().skip(1).collect();
            words[..words.len() - 1].iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert!(copied.iter().all(|path| root.join(path).exists()), "{copied:?}");
    // What the crate is made of: its sources, and what is built into it from beside them.
    for needed in ["Cargo.toml", "Cargo.lock", "src", "config", "templates"] {
        assert!(copied.iter().any(|path| path == needed), "`{needed}` is not copied: {copied:?}");
    }
    // They are a whole workspace to cargo, as they lie in the image.
    let image = tempfile::tempdir().unwrap();
    for path in &copied {
        let (from, to) = (root.join(path), image.path().join(path));
        match from.is_dir() {
            true => copy_folder(&from, &to),
            false => fs::write(to, fs::read(from).unwrap()).unwrap(),
        }
    }
    let metadata = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let read = Command::new(env!("CARGO")).args(metadata).current_dir(image.path()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn what_the_page_on_installing_shows_is_what_is_printed() {
    let page = include_str!("../../../docs/install.md");
    let sandbox = Sandbox::new();
    let made = sandbox.reenact(&["init", "trip", "--template", "saga"]);
    let shown = format!("$ reenact init trip --template saga\n{}", made.stdout);
    assert!(page.contains(&shown), "{shown}");
}
