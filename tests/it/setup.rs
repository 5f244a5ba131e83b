//! Setting Reenact up: projects, what is wrong with a set-up, the configuration, help, what shells complete, installing.

mod complete;
mod config;
mod doctor;
mod help;
mod init;
mod install;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Ended, Sandbox};

/// Runs a script in a folder of the sandbox, with the binary as `reenact`, and with no programs beside it but those that
/// `programs` names; all of this machine's, if it names none.
fn script(sandbox: &Sandbox, folder: &Path, programs: &[&str], text: &str) -> Ended {
    let bin = sandbox.root().join("bin");
    fs::create_dir_all(&bin).unwrap();
    link(Path::new(env!("CARGO_BIN_EXE_reenact")), &bin.join("reenact"));
    let all = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        let found = std::env::split_paths(&all).map(|place| place.join(program)).find(|file| file.is_file());
        link(&found.unwrap_or_else(|| panic!("this machine has no `{program}`")), &bin.join(program));
    }
    let path = match programs {
        [] => std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&all))).unwrap(),
        _ => bin.into_os_string(),
    };
    let like = sandbox.command(&[]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).current_dir(folder).env_clear();
    let environment = like.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(environment.filter(|(name, _)| *name != "REENACT_DATA")).env("PATH", path);
    sandbox.start(command).wait()
}

fn link(to: &Path, at: &Path) {
    if !at.exists() {
        std::os::unix::fs::symlink(to, at).unwrap();
    }
}
