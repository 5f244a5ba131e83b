//! Programs that hang at the worst moment: what they do is done, and nobody has recorded it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Ended, Sandbox, wait_until};

/// Stands for a program: once for each step it hangs when it has done its work, until it is killed.
const HANGS_ONCE: &str = r#"#!/bin/sh
program=${0##*/}
PATH=${PATH#*:}
"$program" "$@"
status=$?
hung=$TMPDIR/../hung/$program-$REENACT_STEP
if [ "$REENACT_PURPOSE" = WHEN ] && [ ! -e "$hung" ]; then
  : > "$hung"
  sleep 600
fi
exit $status
"#;

/// A sandbox in which some programs hang after their work, each once in each step that uses it.
pub(super) struct Hanging<'s> {
    sandbox: &'s Sandbox,
}

impl<'s> Hanging<'s> {
    /// `purpose` is that of the attempts in which they hang: `do` or `compensate`.
    pub(super) fn after(sandbox: &'s Sandbox, programs: &[&str], purpose: &str) -> Self {
        for folder in ["hung", "hangs"] {
            fs::create_dir(sandbox.root().join(folder)).unwrap();
        }
        for program in programs {
            let file = sandbox.root().join("hangs").join(program);
            fs::write(&file, HANGS_ONCE.replace("WHEN", purpose)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { sandbox }
    }

    /// Runs `first`, and when a program hangs kills it and runs `again`, as often as that happens. Answers how the last
    /// one ended, and how many were killed so far, by this call and those before it. `look` is called after each kill.
    pub(super) fn see_through(&self, first: &[&str], again: &[&str], look: impl Fn()) -> (Ended, usize) {
        let mut kills = self.hung();
        let mut process = self.sandbox.start(self.command(first));
        loop {
            let before = kills;
            wait_until("a program hangs, or all is over", || self.hung() > before || !process.is_running());
            if !process.is_running() {
                return (process.wait(), kills);
            }
            kills = self.hung();
            process.kill();
            look();
            process = self.sandbox.start(self.command(again));
        }
    }

    fn hung(&self) -> usize {
        fs::read_dir(self.sandbox.root().join("hung")).unwrap().count()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.sandbox.root().join("hangs").display()));
        command
    }
}
