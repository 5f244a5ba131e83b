//! Delivers a document to somebody outside: to a program on its stdin, or to a URL as the body of a POST.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::mask::Masks;
use super::{children, http};

/// How long a delivery may take. Who gets a notice has to take it down, not to act on it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How many characters are read of a receiver's answer to a POST, for the log.
const ANSWER_CHARS_MAX: usize = 200;

/// The receiver of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A program with its arguments. A name with a slash is a path below the folder in which it runs.
    Command(Vec<String>),
    /// An address that is sent a POST.
    Url {
        /// The address, with `http://` or `https://`.
        url: String,
        /// The environment variable that holds a token, which goes with the
        /// request as `Authorization: Bearer`.
        token_env: Option<String>,
    },
}

/// The means by which documents are delivered.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The environment of the programs. See [`super::subprocess::Options::environment_of`].
    pub environment: BTreeMap<OsString, OsString>,
    /// The folder in which programs run.
    pub folder: PathBuf,
    /// What is masked in why a delivery failed.
    pub masks: Masks,
}

/// Delivers to one target.
#[derive(Debug)]
pub struct Delivery {
    target: Target,
    options: Arc<Options>,
    client: Option<reqwest::Client>,
}

impl Delivery {
    /// Prepares deliveries to that target.
    ///
    /// # Errors
    /// Why nothing can be sent to a URL from here.
    pub fn new(target: Target, options: Arc<Options>) -> Result<Self, String> {
        let client = matches!(target, Target::Url { .. }).then(|| http::client().build()).transpose();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Self { target, options, client })
    }

    /// Delivers a JSON document.
    ///
    /// # Errors
    /// Why the delivery failed, as far as is known: the receiver may have the document all the same.
    pub async fn deliver(&self, document: &str) -> Result<(), String> {
        let delivered = tokio::time::timeout(PATIENCE, async {
            match (&self.target, &self.client) {
                (Target::Url { url, token_env }, Some(client)) => {
                    post(client, url, token_env.as_deref(), document, &self.options.masks).await
                }
                (Target::Url { .. }, None) => Err("there is no way to send it".to_owned()),
                (Target::Command(command), _) => self.run(command, document).await,
            }
        });
        let delivered = delivered.await;
        let why =
            delivered.unwrap_or_else(|_| Err(format!("it was not taken within {} s", PATIENCE.as_secs())));
        why.map_err(|why| self.options.masks.text(&why).into_owned())
    }

    async fn run(&self, words: &[String], document: &str) -> Result<(), String> {
        let (program, arguments) = words.split_first().ok_or("there is no program to run")?;
        let folder = &self.options.folder;
        let mut command =
            Command::new(if program.contains('/') { folder.join(program) } else { program.into() });
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(&self.options.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let started = children::spawn_other(&mut command);
        let (child, _own) = started.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
        let mut group = Group(child);
        if let Some(mut stdin) = group.0.stdin.take() {
            // A program need not read its stdin; its exit status says whether it succeeded.
            let _ = stdin.write_all(document.as_bytes()).await;
        }
        let status = group.0.wait().await.map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("`{program}` ended with {status}")) }
    }
}

/// A program and all that it started. If this is dropped before the program has ended, all
/// of them are killed.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // A program that has ended and was waited for has no process number any more.
        let number = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = number {
            // This fails when no process is left, as it should be.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn post(
    client: &reqwest::Client,
    url: &str,
    token_env: Option<&str>,
    document: &str,
    masks: &Masks,
) -> Result<(), String> {
    let mut request = client.post(url).header("content-type", "application/json").body(document.to_owned());
    if let Some(name) = token_env {
        let token = std::env::var(name).map_err(|_| format!("`{name}` is not set in the environment"))?;
        request = request.bearer_auth(token);
    }
    // An address may hold a secret: it is left out of what the client says.
    let mut answer = request.send().await.map_err(|error| http::cause(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let (mut said, mut more_follow) = (Vec::new(), true);
    // An answer may never end: no more of it is read than is shown.
    while more_follow && said.len() < ANSWER_CHARS_MAX {
        match answer.chunk().await {
            Ok(Some(more)) => said.extend_from_slice(&more),
            _ => more_follow = false,
        }
    }
    // First masked, then cut: half of a value would not be known for one.
    let said = masks.beginning(&said, more_follow);
    let said: String = String::from_utf8_lossy(&said).chars().take(ANSWER_CHARS_MAX).collect();
    Err(format!("the answer was {status} {}", said.trim()).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn why_a_delivery_failed_is_masked() {
        let masks = Masks::default().and([("TOKEN", &b"s3cret"[..])]);
        let options = Arc::new(Options { masks, ..Options::default() });
        let target = Target::Command(vec!["absent-s3cret".to_owned()]);
        let why = Delivery::new(target, options).unwrap().deliver("{}").await.unwrap_err();
        assert!(why.starts_with("`absent-[TOKEN]` cannot be started"), "{why}");
    }
}
