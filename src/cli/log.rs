//! The log, line by line, on stderr or in a file. What comes from outside stands in the fields of a line: it is a part of
//! that line, whatever it holds.
//!
//! - `json`: lines that are objects of JSON

mod json;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use super::say::{self, Say};
use crate::config::{Config, Log, LogFormat};
use crate::events::problem::{Code, Problem};
use crate::events::text::printable;
use crate::executors::mask::Masks;
use json::JsonLines;

/// What is logged, as an option says it.
///
/// # Errors
/// [`Code::BadConfig`] for what says no level.
pub(super) fn levels(text: &str) -> Result<String, Problem> {
    Log::levels(text)
        .map_err(|takes| Problem::new(Code::BadConfig, format!("`{text}` is no log level")).hint(takes))
}

/// Logs as the configuration says, beside what else is said; a relative path is one from `cwd`.
///
/// # Errors
/// [`Code::BadConfig`] when the file cannot be written.
pub(super) fn begin(config: &Config, cwd: &Path, say: &Say) -> Result<(), Problem> {
    let Log { level, format, file } = &config.log;
    let failed = |error| Problem::new(Code::BadConfig, format!("`{level}` is no log level: {error}"));
    let targets: Targets = level.parse().map_err(failed)?;
    let masks = Masks::of_environment(std::env::vars_os(), &config.secrets());
    let subscriber = match file {
        None => subscriber(targets, *format, say.log(), say::stderr_has_colours(), masks),
        Some(file) => subscriber(targets, *format, Arc::new(open(&cwd.join(file))?), false, masks),
    };
    subscriber.init();
    Ok(())
}

/// Opens a file to add lines to. Nothing that a path may lead to makes a command hang.
fn open(path: &Path) -> Result<File, Problem> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options.open(path).map_err(|error| {
        let message = format!("`log.file` names `{}`, which cannot be written: {error}", path.display());
        Problem::new(Code::BadConfig, message)
    })
}

/// Writes lines of these targets and levels, masked, with colours if they are wanted.
fn subscriber<W>(
    targets: Targets,
    format: LogFormat,
    writer: W,
    colours: bool,
    masks: Masks,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    if format == LogFormat::Json {
        return Box::new(registry().with(targets).with(JsonLines::new(writer, masks)));
    }
    let fields = debug_fn(move |writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug| {
        let value = format!("{value:?}");
        let value = masks.text(&value);
        match field.name() {
            "message" => write!(writer, "{}", printable(&value)),
            name => write!(writer, "{name}={}", printable(&value)),
        }
    });
    // Who looks closer wants to know where a line comes from, and by which name it is left out.
    let in_detail = targets.iter().any(|(_, level)| level >= LevelFilter::DEBUG)
        || targets.default_level().is_some_and(|level| level >= LevelFilter::DEBUG);
    let lines = fmt::layer()
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(in_detail)
        .fmt_fields(fields.delimited(" "));
    Box::new(registry().with(targets).with(lines))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `act`.
    fn logged(levels: &str, format: LogFormat, act: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let masks = Masks::default().and([("TOKEN", &b"s3cret"[..])]);
        let targets = levels.parse().unwrap();
        let subscriber = subscriber(targets, format, move || writer.clone(), false, masks);
        tracing::subscriber::with_default(subscriber, act);
        kept.text()
    }

    const EVIL: &str = "x\n\u{1b}[2J\u{9b}1m\u{202e}\u{2028}";

    #[test]
    fn a_line_of_the_log_stays_one_line_in_which_nothing_acts() {
        let text = logged("warn", LogFormat::Text, || {
            tracing::warn!(shown = %EVIL, text = EVIL, debug = ?EVIL, token = "s3cret", "told {EVIL}");
        });
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(crate::events::text::is_active), "{line:?}");
        assert!(line.ends_with(" token=\"[TOKEN]\""), "{line:?}");
        assert!(line.contains("told x") && line.contains(" shown=x") && line.contains(" text="), "{line:?}");
    }

    #[test]
    fn a_line_of_json_is_one_object_in_which_nothing_acts() {
        let text = logged("warn", LogFormat::Json, || {
            tracing::warn!(run = %"r", count = 3_u64, yes = true, part = 0.5, evil = EVIL, token = "s3cret", "told {EVIL}");
        });
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(crate::events::text::is_active), "{line:?}");
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 4);
        assert_eq!((&line["level"], &line["target"]), (&"WARN".into(), &module_path!().into()));
        let fields = serde_json::json!({
            "message": format!("told {EVIL}"), "run": "r", "count": 3, "yes": true, "part": 0.5,
            "evil": EVIL, "token": "[TOKEN]",
        });
        assert_eq!(line["fields"], fields);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn a_level_may_be_that_of_a_module() {
        let say = || {
            tracing::debug!(target: "reenact::store", "of the store");
            tracing::debug!(target: "reenact::actors", "of actors");
            tracing::info!(target: "reenact::actors", "seen");
        };
        let text = logged("info,reenact::store=debug", LogFormat::Text, say);
        assert!(
            text.contains("of the store") && text.contains("seen") && !text.contains("of actors"),
            "{text}"
        );
        assert_eq!(logged("off", LogFormat::Json, say), "");
    }
}
