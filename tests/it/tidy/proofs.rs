//! Each rule, broken on purpose.

use super::code;
use super::house::{House, Source};
use super::rules::{self, Ignorance, Tolerated};
use super::words::CommandLine;

fn files(texts: &[(&str, &str)]) -> Vec<Source> {
    texts.iter().map(|(file, text)| Source::new(file, text)).collect()
}

/// Where the words stand in these files, as `FILE:LINE: WORD`.
fn knows(texts: &[(&str, &str)], words: &'static [&'static str]) -> Vec<String> {
    let files = files(texts);
    let rule = Ignorance { of: &["src/a"], except: &["src/a/except"], words };
    rules::known(&files, &House::of(&files), &rule)
}

/// The members of each circle, with their folder.
fn circles(texts: &[(&str, &str)]) -> Vec<String> {
    let circles = House::of(&files(texts)).circles().into_iter();
    circles.map(|circle| format!("{}: {}", circle.folder, Vec::from_iter(circle.members).join(" "))).collect()
}

#[test]
fn words_of_the_command_line_are_found_in_texts_and_nowhere_else() {
    let help = |words: &[&str]| match words {
        [] => {
            "Commands:\n  retry  Try again\n  undo   Undo\n\nOptions:\n      --data <DIR>  Where\n".to_owned()
        }
        ["undo"] => "Commands:\n  resolve  Settle\n\nOptions:\n  -t, --to <STEP>  What stays\n".to_owned(),
        ["undo", "resolve"] => "Options:\n      --skip  Leave it --force\n".to_owned(),
        _ => String::new(),
    };
    let text = r##"
//! `reenact retry RUN --to docs/a.md`
#[cfg(test)]
mod tests { const A: &str = "`reenact retry`"; }
const B: &str = "`reenact retry RUN` helps";
const C: &str = concat!("say --to S", r#"or --skip"#);
const D: &str = "reenact retries, --tool, --force, reenact.toml, src/docs/, --version";
/// reenact undo
const E: &str = "see docs/a.md";
fn f() { g("\nreenact undo it", '"', b"--data"); } // --data
"##;
    let files = files(&[("src/a.rs", text), ("src/a/b.rs", text), ("src/other.rs", text)]);
    let house = House::of(&files);
    let of_file = |file: &str| {
        ["5: reenact retry", "6: --to", "6: --skip", "9: docs/a.md", "10: reenact undo", "10: --data"]
            .map(|found| format!("{file}:{found}"))
    };
    let found = CommandLine::of(&help).named(&files, &house, &["a"]);
    assert_eq!(found, [of_file("src/a.rs"), of_file("src/a/b.rs")].concat());
}

#[test]
fn a_word_is_found_after_a_test_item_and_not_in_it() {
    let text = "\
#[cfg(test)]
mod tests;
#[cfg(test)]
use tokio::sync::{a, b};
#[cfg(test)]
#[allow(dead_code)]
pub(crate) const fn tokio() -> [u8; 2] { [0; 2] }
#[cfg(test)]
const TOKIO: Tokio = Tokio { tokio: { 1 } };
struct S<T> {
    #[cfg(test)]
    tokio: Map<tokio, fn(u8) -> tokio>,
    fine: T,
}
#[cfg(test)]
mod more { use tokio::a; }
fn last() { tokio::spawn(); }
";
    assert_eq!(knows(&[("src/a.rs", text)], &["tokio"]), ["src/a.rs:17: tokio"]);
}

#[test]
fn statements_variants_and_arms_of_tests_end_where_they_end() {
    let text = "\
enum E { #[cfg(test)] Tokio(tokio), Fine }
fn f(e: E) {
    #[cfg(test)]
    let x = { tokio } + { tokio } + tokio;
    match e { #[cfg(test)] E::Tokio(tokio) => { tokio } _ => tokio }
}
";
    assert_eq!(knows(&[("src/a.rs", text)], &["tokio"]), ["src/a.rs:5: tokio"]);
}

#[test]
fn modules_that_only_tests_compile_are_tests_wherever_they_lie() {
    let tests = [
        ("src/a.rs", "#[cfg(test)] mod kit; mod real;"),
        ("src/a/kit.rs", "use tokio::a;"),
        ("src/a/kit/deep.rs", "use tokio::a;"),
        ("src/a/other.rs", "#![cfg(test)] use tokio::a;"),
        ("src/a/real.rs", "use tokio::a;"),
    ];
    assert_eq!(knows(&tests, &["tokio"]), ["src/a/real.rs:1: tokio"]);
}

#[test]
fn comments_texts_lifetimes_and_other_names_are_no_words() {
    let text = "\
//! tokio
/* tokio /* tokio */ tokio */
/// tokio
fn f<'tokio>(x: &'tokio str) { g(\"tokio\", r#\"tokio\"#, b\"tokio\", 't', tokios, my_tokio) } // tokio
";
    assert_eq!(knows(&[("src/a.rs", text)], &["tokio"]), [""; 0]);
    assert_eq!(knows(&[("src/a.rs", "use tokio_util::x;")], &["tokio"]), ["src/a.rs:1: tokio"]);
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let found = |text: &'static str, words| !knows(&[("src/a/b.rs", text)], words).is_empty();
    for text in [
        "use std::fs;",
        "use std::{io, fs::File};",
        "use std::{\n    io,\n    fs as disk,\n};",
        "fn f() { g(std :: fs :: read(x)) }",
        "fn f() { g!(a, ::std::fs::read(x)) }",
        "fn f() -> Vec<std::fs::File> {}",
    ] {
        assert!(found(text, &["std::fs"]), "{text}");
    }
    for text in ["use std::io;", "use std::{io, other::fs};", "fn f() { std.fs() }", "fn f() { fs::read() }"]
    {
        assert!(!found(text, &["std::fs"]), "{text}");
    }
    assert!(found("fn f() { E::A }", &["E::"]));
    assert!(!found("fn f(e: E) -> x::E {}", &["E::"]));
    assert!(found("fn f() { print!(\"\") }", &["print!"]));
    assert!(!found("fn f() { print(\"\") }", &["print!"]));
    assert!(found("use ::sled::Db;", &["::sled"]));
    assert!(!found("use crate::sled::Db;", &["::sled"]));
}

#[test]
fn a_module_is_found_however_it_is_reached() {
    for text in [
        "use crate::b::c::X;",
        "use crate::{a::Y, b::{c, d}};",
        "use super::super::b::c;",
        "fn f() { super::super::b::c::f() }",
        "use super::X;",
        "use super::*; fn f() -> X {}",
    ] {
        let texts = [
            ("src/lib.rs", ""),
            ("src/a.rs", "pub use crate::b::c::X; struct Y;"),
            ("src/a/one.rs", text),
            ("src/a/except.rs", text),
            ("src/b.rs", ""),
            ("src/b/c.rs", ""),
        ];
        let found = knows(&texts, &["crate::b"]);
        assert!(found.iter().any(|place| place.starts_with("src/a/one.rs:1:")), "{text}: {found:?}");
        assert!(!found.iter().any(|place| place.starts_with("src/a/except.rs")), "{text}: {found:?}");
    }
}

#[test]
fn siblings_that_know_each_other_are_a_circle_however_they_say_so() {
    for b in [
        "use super::a::X;",
        "use super::{c, a as other};",
        "use crate::r::a;",
        "fn f() { super::a::f() }",
        "fn f(x: super::a::X) {}",
        "fn f() { assert!(matches!(x, crate::r::a::X)) }",
        // By what the folder above re-exports, or only imports.
        "use super::X;",
        "fn f() -> super::Alias {}",
        "use super::*; fn f() -> X {}",
        "use crate::r::Alias;",
        // By what a third one re-exports.
        "use super::c::X;",
        "use crate::{r::{self}}; fn f() -> r::X {}",
        "mod inline { use super::super::a::X; }",
        "mod inline {} use super::a::X;",
        "pub(super) use super::a::X;",
    ] {
        let texts = [
            ("src/r/mod.rs", "mod a; mod b; mod c; pub use a::X; use self::a::X as Alias; struct Own;"),
            ("src/r/a.rs", "use super::b::Y; pub struct X;"),
            ("src/r/b.rs", b),
            ("src/r/c.rs", "pub use super::a::X; pub fn f() {}"),
        ];
        let found = circles(&texts);
        assert!(found.iter().any(|circle| circle.starts_with("src/r: a b")), "{b}: {found:?}");
    }
}

#[test]
fn what_is_no_edge_between_siblings_makes_no_circle() {
    for b in [
        // The folder's own things, outside of it, and names that only look alike.
        "use super::Own; use super::*;",
        "use crate::other::a::X; use a::X;",
        "fn f(a: u8) { a.x(); let x = A::a; } // super::a::X",
        "#[cfg(test)] mod tests { use super::super::a::X; }",
        "#[cfg(test)] use super::a::X;",
        "fn f() -> &'static str { \"super::a::X\" }",
        "mod a { pub struct X; } fn f() { a::X }",
    ] {
        let texts = [
            ("src/r.rs", "mod a; mod b; pub use a::X; struct Own;"),
            ("src/r/a.rs", "use super::b::Y; pub struct X;"),
            ("src/r/b.rs", b),
            ("src/other/a.rs", ""),
        ];
        assert_eq!(circles(&texts), [""; 0], "{b}");
    }
}

#[test]
fn circles_are_found_through_several_and_between_folders() {
    let three = [
        ("src/r/a.rs", "use super::b::X;"),
        ("src/r/b.rs", "use super::c::X;"),
        ("src/r/c.rs", "use super::a::X;"),
        ("src/r/d.rs", "use super::{a, b, c};"),
    ];
    assert_eq!(circles(&three), ["src/r: a b c"]);
    let folders = [
        ("src/r/a/one.rs", "use crate::r::b::two;"),
        ("src/r/a/three.rs", ""),
        ("src/r/b/mod.rs", "mod two; mod four;"),
        ("src/r/b/two.rs", ""),
        ("src/r/b/four.rs", "use super::super::a::three;"),
    ];
    assert_eq!(circles(&folders), ["src/r: a b"]);
    let rooms = [("src/a/x.rs", "use crate::b::y;"), ("src/b/y.rs", "use crate::a::x;")];
    assert_eq!(circles(&rooms), ["src: a b"]);
}

#[test]
fn a_module_and_its_parts_may_know_each_other() {
    let texts = [
        ("src/lib.rs", "mod r; pub use r::X;"),
        ("src/r.rs", "mod a; use a::X; pub struct Own;"),
        ("src/r/a.rs", "use super::Own; use crate::r; mod deep;"),
        ("src/r/a/deep.rs", "use super::super::Own; use super::X;"),
    ];
    assert_eq!(circles(&texts), [""; 0]);
}

#[test]
fn a_room_that_looks_up_or_aside_is_found() {
    const FLOORS: &[rules::Floor] =
        &[("low", &[]), ("middle", &["low"]), ("beside", &["low"]), ("high", &["middle"])];
    let upwards = |texts: &[(&str, &str)]| {
        let high = [("src/high.rs", "use crate::low::Y; use crate::middle::Z;")];
        rules::upwards(&House::of(&files(&[&high, texts].concat())), FLOORS)
    };
    assert_eq!(upwards(&[("src/low.rs", ""), ("src/middle/a.rs", "use crate::low;")]), [""; 0]);
    for text in
        ["use crate::high::X;", "fn f() { super::high::X }", "#[cfg(test)] mod t {} use crate::{high};"]
    {
        assert_eq!(upwards(&[("src/low.rs", text), ("src/middle.rs", "")]).len(), 1, "{text}");
    }
    let aside = upwards(&[("src/middle.rs", "use crate::beside::X;"), ("src/beside.rs", "")]);
    assert_eq!(aside, ["src/middle.rs:1: crate::beside::X: `middle` stands below `beside`, or beside it"]);
    assert_eq!(upwards(&[("src/low.rs", ""), ("src/new.rs", "use crate::low;")]).len(), 1);
}

#[test]
fn what_is_tolerated_can_only_shrink() {
    let circle = |names: &[&str]| {
        let texts = names.iter().enumerate().map(|(at, name)| {
            let next = names[(at + 1) % names.len()];
            Source::new(&format!("src/r/{name}.rs"), &format!("use super::{next}::X;"))
        });
        texts.collect::<Vec<_>>()
    };
    let told = |names: &[&str], tolerated: &[Tolerated]| {
        !rules::circles(&House::of(&circle(names)), tolerated).is_empty()
    };
    assert!(!told(&["a", "b"], &[("src/r", &["a", "b"])]));
    assert!(told(&["a", "b"], &[]), "a new circle");
    assert!(told(&["a", "b", "c"], &[("src/r", &["a", "b"])]), "a larger one");
    assert!(told(&["a", "b"], &[("src/other", &["a", "b"])]), "one of another folder");
    assert!(told(&["a", "b"], &[("src/r", &["a", "b", "c"])]), "a row that is too long");
}

#[test]
fn functions_are_measured_wherever_they_stand() {
    let text = "\
impl X {
    pub(super) async fn long<T>(
        x: [u8; 2],
    ) -> T
    where
        T: Copy,
    {
        fn inner() { a(|| { b }) }

        #[test]
        fn test() {
        }
    }
    fn none();
    fn pointer(x: fn(u8) -> u8) {}
}
";
    let mut found: Vec<_> =
        code::functions(text).into_iter().map(|found| (found.line, found.name, found.lines)).collect();
    found.sort();
    let found: Vec<_> = found.iter().map(|(line, name, lines)| (*line, name.as_str(), *lines)).collect();
    assert_eq!(found, [(2, "long", 12), (8, "inner", 1), (11, "test", 2), (15, "pointer", 1)]);
}
