//! A text file that a person names: a workflow, an input, an agent, a script, the configuration. It is read whole and
//! within a bound, or refused at once: nothing that a path may lead to (a device, a pipe that nobody writes into, a file
//! larger than memory) makes a command hang.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::events::limits::TURN_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::workflow::parse;

/// What a file is read as: how long one may be, and how it is told that one is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The file of a workflow.
    Workflow,
    /// The inputs of a run.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))] // Only the command line reads inputs from files.
    Input,
    /// One layer of the configuration.
    Configuration,
    /// The file of an agent.
    Agent,
    /// The answers of a scripted agent.
    Script,
    /// The tests of a workflow.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))] // Only the command line runs tests.
    Suite,
    /// What agents answered, kept to be given again.
    Cassette,
    /// Rules by which requests are understood.
    Rules,
    /// One turn of a conversation.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))] // Only the command line reads turns from files.
    Turn,
    /// Turns of a conversation, a line each.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))] // The same.
    Turns,
    /// Requests of which it is known what is right.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))] // Only the command line tries rules on cases.
    Cases,
}

impl Kind {
    /// No file of that kind is longer, in bytes.
    pub(crate) const fn bytes_max(self) -> usize {
        const MIB: usize = 1024 * 1024;
        match self {
            Self::Workflow => parse::FILE_BYTES_MAX,
            // It is one document in the history of a run, and in memory several times while steps are rendered from it.
            // Together with all else that a run begins with it must fit into a request to another process.
            Self::Input | Self::Cases | Self::Turns => 32 * MIB,
            Self::Turn => TURN_BYTES_MAX,
            // They are written by hand; all of these are far beyond what anybody has written.
            Self::Configuration | Self::Agent | Self::Script | Self::Suite | Self::Rules => MIB,
            // It is in memory while a run is replayed. All that a team says in an hour fits into it.
            Self::Cassette => 256 * MIB,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Input => "input",
            Self::Configuration => "configuration",
            Self::Agent => "agent's file",
            Self::Script => "script",
            Self::Suite => "file of tests",
            Self::Cassette => "cassette",
            Self::Rules => "file of rules",
            Self::Turn => "turn",
            Self::Turns => "file of turns",
            Self::Cases => "file of cases",
        }
    }

    /// The code of a file that is no text.
    const fn no_text(self) -> Code {
        match self {
            Self::Workflow | Self::Input | Self::Script | Self::Suite => Code::NotYaml,
            Self::Configuration => Code::BadConfig,
            Self::Agent => Code::BadAgent,
            Self::Cassette => Code::BadCassette,
            Self::Rules => Code::BadRules,
            Self::Turn | Self::Turns => Code::BadTurn,
            Self::Cases => Code::BadCases,
        }
    }
}

/// Reads a file, which may be a link to one. A byte order mark at its beginning is left out. `shown` is what problems call
/// the file: its path as a person named it.
///
/// # Errors
/// [`Code::FileNotRead`] for what is not there, may not be read, or is no regular file; [`Code::TooLarge`]; the kind's own
/// code, with the place, where it is not UTF-8.
pub(crate) fn read(path: &Path, shown: &str, kind: Kind) -> Result<String, Problem> {
    let max = kind.bytes_max();
    let failed = |why: String| {
        Problem::new(Code::FileNotRead, format!("the {} `{shown}` cannot be read: {why}", kind.name()))
    };
    let mut file = open(path).map_err(|why| failed(why.unwrap_or_else(|error| reason(path, &error))))?;
    let mut bytes = Vec::new();
    // What its size says may be old by now.
    let read = file.by_ref().take(max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() > max {
        let size = file.metadata().map_or(0, |found| found.len()).max(bytes.len() as u64);
        let message =
            format!("the {} `{shown}` has {size} bytes, and no more than {max} are read", kind.name());
        return Err(Problem::new(Code::TooLarge, message).at(shown, 1, 1));
    }
    let text = parse::decode(&bytes, shown).map_err(|problem| Problem {
        code: kind.no_text(),
        class: kind.no_text().class(),
        ..problem
    })?;
    let whole = text.strip_prefix('\u{feff}').map(str::to_owned);
    // It was checked above: no copy is made, and nothing replaced.
    Ok(whole.unwrap_or_else(|| String::from_utf8(bytes).unwrap_or_default()))
}

/// The same, for a file that may be missing. A link that leads nowhere is not missing: somebody meant something by it.
///
/// # Errors
/// As for [`read`].
pub(crate) fn read_if_there(path: &Path, kind: Kind) -> Result<Option<String>, Problem> {
    match fs::symlink_metadata(path) {
        // A folder on the way may be a file, too: then this one is not there either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        _ => read(path, &path.display().to_string(), kind).map(Some),
    }
}

/// The absolute path of a file, without links.
///
/// # Errors
/// [`Code::FileNotRead`] when it is not there.
pub(crate) fn whole_path(path: &Path, shown: &str) -> Result<PathBuf, Problem> {
    fs::canonicalize(path).map_err(|error| {
        Problem::new(Code::FileNotRead, format!("`{shown}` cannot be read: {}", reason(path, &error)))
    })
}

/// What a path leads to that is neither a folder nor a regular file; none if it is one of them, or is not there.
///
/// # Errors
/// [`Code::FileNotRead`], which says what it is.
pub(crate) fn check_file_or_folder(path: &Path) -> Result<(), Problem> {
    let why = match fs::metadata(path) {
        Ok(found) if found.is_dir() || found.is_file() => return Ok(()),
        Ok(found) => format!("it is {}, and no file or folder", what(found.file_type())),
        Err(_) if fs::symlink_metadata(path).is_err() => return Ok(()),
        Err(error) => reason(path, &error),
    };
    Err(Problem::new(Code::FileNotRead, format!("`{}` cannot be read: {why}", path.display())))
}

/// Checks that a path can be a folder of data: it is one, or nothing is there yet.
///
/// # Errors
/// [`Code::NotAFolder`], which says what is there, and [`Code::StoreUnreadable`] where that cannot be found out.
pub(crate) fn check_data_folder(path: &Path) -> Result<(), Problem> {
    let (code, why) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(found) => (Code::NotAFolder, format!("it is {}", what(found.file_type()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(());
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            (Code::StoreUnreadable, error.to_string())
        }
        Err(error) => (Code::NotAFolder, reason(path, &error)),
    };
    Err(Problem::new(code, format!("`{}` cannot hold data: {why}", path.display())))
}

/// Opens a regular file; otherwise says what it is, or why it cannot be opened.
fn open(path: &Path) -> Result<File, Result<String, io::Error>> {
    let regular = |found: io::Result<fs::Metadata>| {
        let kind = found.map_err(Err)?.file_type();
        if kind.is_file() { Ok(()) } else { Err(Ok(format!("it is {}, and no regular file", what(kind)))) }
    };
    // Devices may do something when they are opened, so it is looked at before; and after, as it may be another by then. A
    // pipe that took its place is not waited for.
    regular(fs::metadata(path))?;
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Err)?;
    regular(file.metadata())?;
    Ok(file)
}

/// Why a path cannot be used: for a link that leads nowhere, where it leads.
fn reason(path: &Path, error: &io::Error) -> String {
    match fs::read_link(path) {
        Ok(to) if error.kind() == io::ErrorKind::NotFound => {
            format!("it is a link to `{}`, and nothing is there", to.display())
        }
        _ => error.to_string(),
    }
}

/// What a file is, in words.
fn what(kind: FileType) -> &'static str {
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    const KINDS: [Kind; 5] = [Kind::Workflow, Kind::Input, Kind::Configuration, Kind::Agent, Kind::Script];

    fn read_it(path: &Path, kind: Kind) -> Result<String, Problem> {
        read(path, &path.display().to_string(), kind)
    }

    /// What is said of a file of every kind; it must be the same code.
    fn said(path: &Path, code: Code) -> String {
        let problems = KINDS.map(|kind| read_it(path, kind).unwrap_err());
        assert!(problems.iter().all(|problem| problem.code == code), "{problems:?}");
        problems[0].message.clone()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        for (path, words) in [
            (PathBuf::from("/dev/zero"), "a device"),
            (PathBuf::from("/dev/null"), "a device"),
            (at("fifo"), "a FIFO"),
            (at("socket"), "a socket"),
            (at(""), "a directory"),
        ] {
            let link = at("link");
            symlink(&path, &link).unwrap();
            for path in [&path, &link] {
                let said = said(path, Code::FileNotRead);
                assert!(said.contains(words) && said.contains(&path.display().to_string()), "{said}");
            }
            fs::remove_file(link).unwrap();
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_named_with_where_they_lead() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("gone.yaml", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        assert!(said(&at("dangling"), Code::FileNotRead).contains("a link to `gone.yaml`"));
        said(&at("circle"), Code::FileNotRead);
        said(&at("absent"), Code::FileNotRead);
        assert_eq!(read_if_there(&at("absent"), Kind::Configuration), Ok(None));
        for name in ["dangling", "circle"] {
            assert!(read_if_there(&at(name), Kind::Configuration).is_err(), "{name}");
        }
    }

    #[test]
    fn no_more_is_read_than_a_kind_of_file_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        for kind in KINDS {
            let file = File::create(&path).unwrap();
            file.set_len(kind.bytes_max() as u64).unwrap();
            assert_eq!(read_it(&path, kind).unwrap().len(), kind.bytes_max());
            file.set_len(10 << 30).unwrap();
            let problem = read_it(&path, kind).unwrap_err();
            assert_eq!(problem.code, Code::TooLarge);
            assert!(problem.message.contains("10737418240 bytes"), "{}", problem.message);
        }
    }

    #[test]
    fn a_byte_order_mark_is_left_out_and_what_is_no_text_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "\u{feff}name: ä").unwrap();
        assert_eq!(read_it(&path, Kind::Agent).unwrap(), "name: ä");
        fs::write(&path, b"a\n\xff").unwrap();
        for (kind, code) in KINDS.into_iter().zip([
            Code::NotYaml,
            Code::NotYaml,
            Code::BadConfig,
            Code::BadAgent,
            Code::NotYaml,
        ]) {
            let problem = read_it(&path, kind).unwrap_err();
            let at = problem.at.unwrap();
            assert_eq!((problem.code, at.line, at.column), (code, 2, 1));
        }
    }

    #[test]
    fn data_lies_in_a_folder_or_where_nothing_is_yet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        symlink("gone", at("dangling")).unwrap();
        symlink(".", at("link")).unwrap();
        for good in [at(""), at("new"), at("new/deep"), at("link")] {
            assert_eq!(check_data_folder(&good), Ok(()), "{}", good.display());
        }
        for bad in [at("file"), at("dangling"), at("file/in"), PathBuf::from("/dev/zero")] {
            let problem = check_data_folder(&bad).unwrap_err();
            assert_eq!(problem.code, Code::NotAFolder, "{}", problem.message);
            assert!(problem.message.contains(&bad.display().to_string()), "{}", problem.message);
        }
    }
}
