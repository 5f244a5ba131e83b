//! `reenact help [VERB]`: what a verb does and takes, on the terminal or as manual pages.

use std::fs;
use std::path::Path;

use clap::Command;
use serde::Serialize;

use super::arguments::HelpArguments;
use super::command::{command, parse};
use super::text::{Text, terminal};
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem, nearest};

/// The JSON that `help --json` prints.
#[derive(Clone, Serialize)]
struct Help {
    verb: String,
    help: String,
}

/// The JSON that `help --man --json` prints.
#[derive(Clone, Serialize)]
struct Pages {
    folder: String,
    files: Vec<String>,
}

impl Worded for Help {}
impl Worded for Pages {}

pub(super) fn help(scene: &Scene, arguments: &HelpArguments) -> Result<Exit, Problem> {
    match &arguments.man {
        Some(folder) => pages(scene, folder),
        None => show(scene, &arguments.verbs),
    }
}

fn show(scene: &Scene, verbs: &[String]) -> Result<Exit, Problem> {
    let mut command = command();
    command.build();
    let meant = verbs.iter().try_fold(&mut command, find)?;
    if scene.say.is_json() {
        let help = meant.render_long_help().to_string();
        scene.say.result(&Help { verb: verbs.join(" "), help }, |_| Text::default());
        return Ok(Exit::Good);
    }
    // What the option prints, in the same colours.
    let asked = ["reenact"].into_iter().chain(verbs.iter().map(String::as_str)).chain(["--help"]);
    if let Err(help) = parse(asked) {
        scene.say.written(help.print());
    }
    Ok(Exit::Good)
}

/// The verb of that name in another one, or in all.
fn find<'c>(above: &'c mut Command, name: &String) -> Result<&'c mut Command, Problem> {
    let names: Vec<String> = above.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let within = above.get_bin_name().unwrap_or("reenact").to_owned();
    above.find_subcommand_mut(name).ok_or_else(|| {
        let problem = Problem::new(Code::Usage, format!("there is no verb `{name}` in `{within}`"));
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("`{within} --help` tells what there is")),
        }
    })
}

/// Writes a page for the program, and one for each verb.
fn pages(scene: &Scene, folder: &Path) -> Result<Exit, Problem> {
    let not_made = |error: std::io::Error| {
        let message = format!("the manual pages cannot be written to `{}`: {error}", folder.display());
        Problem::new(Code::FileNotMade, message)
    };
    fs::create_dir_all(folder).map_err(not_made)?;
    let mut command = command();
    command.build();
    let mut files = Vec::new();
    write(&command, folder, &mut files).map_err(not_made)?;
    let pages = Pages { folder: folder.display().to_string(), files };
    scene.say.result(&pages, |pages| {
        let count = pages.files.len();
        terminal!("{} pages in {}: `man -l {}/reenact.1`", count, &pages.folder, &pages.folder)
    });
    Ok(Exit::Good)
}

fn write(verb: &Command, folder: &Path, files: &mut Vec<String>) -> std::io::Result<()> {
    let source = concat!("reenact ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(verb.clone()).source(source).manual("Reenact");
    let (name, mut text) = (page.get_filename(), Vec::new());
    page.render(&mut text)?;
    // What stands behind the options has a heading of its own already.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n");
    fs::write(folder.join(&name), text)?;
    files.push(name);
    verb.get_subcommands().try_for_each(|inner| write(inner, folder, files))
}
