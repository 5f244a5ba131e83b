//! The command line: one file per verb.
//!
//! - `arguments`: what the command line says; `command`: all of it as clap sees it, with `examples` for people and `complete`
//!   for shells
//! - [`house`](crate::api::house::House): the data folder that a verb works on
//! - `start`: what a run begins with
//! - `control`: recording what people want of a run
//! - `see`: seeing a run through, whoever holds the store
//! - `say`: results on stdout, words on stderr
//! - `text`: results as a person reads them; `reader`: whether somebody does
//! - `happens`: what happens to a run, told meanwhile where no lines can be drawn over again
//! - `log`: what is logged, on stderr or into a file
//! - `screen`: what is shown again as it changes; `progress`: what runs, line by line, on a terminal; `region`: how those lines get there; `shown`: what programs say
//! - `usage`: command lines that are not understood
//! - `spare`: whether threads and files are left

mod agents;
mod approve;
mod arguments;
mod ask;
mod budget;
mod cache;
mod cancel;
mod checked;
mod command;
mod complete;
mod completions;
mod config;
mod context;
mod control;
mod conversation;
mod convert;
mod doctor;
mod dry_run;
mod examples;
mod goal;
mod graph;
mod happens;
mod help;
mod history;
mod init;
mod list;
mod log;
mod logs;
mod mcp;
mod messages;
mod pause;
mod progress;
mod reader;
mod region;
mod reject;
mod replay;
mod resume;
mod retry;
mod rollback;
mod route;
mod run;
mod say;
mod schema;
mod screen;
mod see;
mod shown;
mod signal;
mod spare;
mod start;
mod status;
mod tasks;
mod test;
mod text;
mod transcript;
mod trust;
mod unpause;
mod usage;
mod validate;
mod verbs;
mod verify;
mod why;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::aggregates::run::RunStatus;
use crate::api::door::Door;
use crate::api::house::{House, OwnAgents};
use crate::api::{folder, identity};
use crate::config::{Config, Project, Sources, trust as kept};
use crate::events::problem::{Code, Problem, Remedy};
use crate::executors::children;
use crate::text_file;
use crate::views::presenters::report::RunReport;
use arguments::{Arguments, Reach, Verb};
use say::Say;
use text::{Call, Steps, terminal};

/// How a verb ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what was asked; a run completed.
    Good,
    /// A run failed, or a check found something.
    Failed,
    /// It was asked wrongly; nothing was started.
    BadInput,
    /// A run was rolled back.
    RolledBack,
    /// A run waits for somebody.
    Waiting,
    /// A run can go neither forward nor back by itself.
    Stuck,
    /// A run was cancelled.
    Cancelled,
    /// The store is damaged, or held by a process that does not answer.
    StoreUnusable,
    /// What it found out could not be written to stdout.
    Unwritten,
    /// SIGINT or SIGTERM; the run can be resumed.
    Interrupted,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::RolledBack => 3,
            Self::Waiting => 4,
            Self::Stuck => 5,
            Self::Cancelled => 6,
            Self::StoreUnusable => 7,
            Self::Unwritten => 8,
            Self::Interrupted => 130,
        }
    }

    /// How a verb ends that saw a run through to that status.
    const fn of_status(status: RunStatus) -> Self {
        match status {
            RunStatus::Completed => Self::Good,
            RunStatus::Failed => Self::Failed,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Paused
            | RunStatus::Compensating => Self::Waiting,
            RunStatus::Compensated => Self::RolledBack,
            RunStatus::Stuck => Self::Stuck,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }

    /// How a verb ends that saw this run through.
    fn of_run(report: &RunReport) -> Self {
        match report.status {
            RunStatus::Paused if report.rolled_back_to.is_some() => Self::RolledBack,
            status => Self::of_status(status),
        }
    }

    /// How a verb ends that could not do what was asked.
    const fn of_problem(code: Code) -> Self {
        match code {
            Code::StoreDamaged
            | Code::StoreHeld
            | Code::StoreTaken
            | Code::StoreNotHeld
            | Code::StoreFailed
            | Code::StoreUnreadable
            | Code::StoreNotPlain
            | Code::NoRoomToLook
            | Code::StoreGone
            | Code::NotYours
            | Code::TooManyClients
            | Code::HungUp => Self::StoreUnusable,
            Code::RunParked | Code::Impossible | Code::CommitRefused | Code::Internal => Self::Failed,
            _ => Self::BadInput,
        }
    }
}

/// Everything that a verb works with.
struct Scene {
    say: Say,
    call: Call,
    /// How the steps of runs are told.
    steps: Steps,
    house: House,
    cwd: PathBuf,
    /// The folder in which the user's own configuration lies; none if nothing says where it would be.
    user_folder: Option<PathBuf>,
    /// The places from which the configuration was read.
    sources: Sources,
    /// The data folder that an option or the environment names.
    named: Option<PathBuf>,
    /// Whether an option says what is logged.
    log_is_named: bool,
}

impl Scene {
    /// The data folder that is meant here.
    ///
    /// # Errors
    /// When it is a link that nobody named.
    fn data(&self) -> Result<PathBuf, Problem> {
        folder::meant(self.named.as_deref(), &self.cwd)
    }

    /// Why what the folder's own configuration names to be run or told is not in effect; none where it is, or names nothing.
    fn untrusted(&self) -> Option<Problem> {
        let project = self.house.config.project.as_ref()?;
        let data = self.data().ok();
        let is_trusted =
            data.is_some_and(|data| may_run(project, &data, &self.cwd, self.user_folder.as_deref()));
        (!is_trusted).then(|| untrusted(project))
    }

    /// How a verb ends that followed something and was left: nobody got what it told any more, or a signal came.
    fn left(&self) -> Exit {
        if self.say.is_deserted() { Exit::Good } else { Exit::Interrupted }
    }

    /// Opens the door, with a word where what is shown may not be all that there was.
    async fn open(&self) -> Result<Door, Problem> {
        let door = self.house.open().await?;
        if let Some(what) = door.damage() {
            let message = format!("the store is damaged ({what}): this is what can be read of it");
            self.say.warnings(&[Problem::new(Code::StoreDamaged, message)]);
        }
        if let Some(holder) = door.holder_of_original() {
            let words = "this is a copy of the store; which runs go on only its holder knows";
            self.say.note(&terminal!("{}: {}", words, holder));
        }
        Ok(door)
    }
}

/// Runs the program with these arguments, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    // Also what is wrong with the others is said in the colours that are wanted.
    say::set_colours(arguments::colours(&arguments));
    match complete::answer(&arguments, command::command) {
        Ok(None) => {}
        Ok(Some(answered)) => return answered,
        Err(problem) => {
            let say = Say::new(wants_json, Call::default());
            return ExitCode::from(say.exit(say.problem(&problem)).code());
        }
    }
    let parsed = match command::parse(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error, wants_json),
    };
    // A path that is no text cannot be typed either.
    let data = parsed.data.as_deref().and_then(Path::to_str).map(str::to_owned);
    let call = Call { data };
    let say = Say::new(parsed.json, call.clone());
    let named = folder::named(parsed.data.as_deref());
    let exit = match house(&parsed, named.as_deref(), &say) {
        Ok((house, sources)) => {
            let (cwd, user_folder) = (house.work_folder.clone(), sources.user_folder());
            let log_is_named = parsed.log.is_some();
            let steps = if parsed.verb.shows_each_step() { Steps::Each } else { Steps::Collapsed };
            let scene = Scene { say, call, steps, cwd, house, user_folder, sources, named, log_is_named };
            // What left its program's group is found where the kernel brings it here; without that, less of it is.
            let _ = children::adopt_orphans();
            let exit = match spare::runtime(parsed.verb.reach() != Reach::None) {
                Ok(runtime) => within(runtime, perform(&scene, parsed.verb)),
                Err(problem) => scene.say.problem(&problem),
            };
            scene.say.exit(exit)
        }
        Err(problem) => {
            let exit = say.problem(&problem);
            say.exit(exit)
        }
    };
    ExitCode::from(exit.code())
}

/// Runs something to its end on this thread, with all that actors need.
fn within<T>(runtime: Runtime, doing: impl Future<Output = T>) -> T {
    actix::System::with_tokio_rt(|| runtime).block_on(doing)
}

/// Answers a command line that was not understood, or that asked for help.
fn not_understood(error: &clap::Error, wants_json: bool) -> ExitCode {
    let is_bare = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let say = Say::new(wants_json, Call::default());
    let exit = if !error.use_stderr() {
        // Help was asked for: it is the result.
        say.written(error.print());
        Exit::Good
    } else if is_bare && !wants_json {
        // Help is the best answer. It goes to stderr: if it cannot be written there is nobody to tell.
        let _ = error.print();
        Exit::BadInput
    } else {
        say.problem(&usage::problem(error))
    };
    ExitCode::from(say.exit(exit).code())
}

/// The data folder that a verb works on, with how it is to be held, and where its configuration comes from.
fn house(arguments: &Arguments, named: Option<&Path>, say: &Say) -> Result<(House, Sources), Problem> {
    let mut sources = Sources::of_process(arguments.config.clone())
        .map_err(|error| Problem::new(Code::FileNotRead, format!("the current folder is gone: {error}")))?;
    let mut config = match Config::load(&sources) {
        Err(_) if arguments.verb.bears_bad_configuration() => Config::built_in()?,
        loaded => loaded?,
    };
    let (user_folder, reach) = (sources.user_folder(), arguments.verb.reach());
    let data = match named {
        None if reach == Reach::None => sources.cwd.join(folder::DATA),
        named => folder::meant(named, &sources.cwd)?,
    };
    let may_run = |project: &Project| may_run(project, &data, &sources.cwd, user_folder.as_deref());
    match config.project.as_ref().filter(|project| !may_run(project)) {
        Some(project) if reach == Reach::Acts && !arguments.verb.is_life() => return Err(untrusted(project)),
        Some(_) if reach != Reach::None => {
            sources.without_project_programs = true;
            config = Config::load(&sources)?;
        }
        // What it names to be run is only checked, and nothing is written where it says.
        Some(project) if project.programs.contains("log.file") => config.log.file = None,
        _ => {}
    }
    if let Some(levels) = &arguments.log {
        config.log.level = log::levels(levels)?;
    }
    log::begin(&config, &sources.cwd, say)?;
    if reach != Reach::None {
        text_file::check_data_folder(&data)?;
    }
    let (looks, own) = (reach == Reach::Looks, OwnAgents::default());
    Ok((House { data, config, work_folder: sources.cwd.clone(), looks, own, fatal: None }, sources))
}

/// Whether what a folder's own configuration names may be run: its data folder lies beside it and was made there, or somebody
/// has said so.
fn may_run(project: &Project, data: &Path, cwd: &Path, user_folder: Option<&Path>) -> bool {
    let is_beside = data == cwd.join(folder::DATA) && identity::is_made_here(data);
    is_beside || user_folder.is_some_and(|user| kept::is_trusted(user, project))
}

/// Refuses to run what a folder's own configuration names: the folder may be a clone, and the data folder its, too.
fn untrusted(project: &Project) -> Problem {
    let (file, folder) = (project.file.display(), project.file.parent().unwrap_or(&project.file).display());
    let keys: Vec<_> = project.programs.iter().map(|key| format!("`{key}`")).collect();
    let message = format!(
        "{file} names what is to be run, told or written ({}), and the data folder was not made beside it: nobody said that it may",
        keys.join(", ")
    );
    Problem::new(Code::Untrusted, message)
        .hint(vec![Remedy::plain("look at it"), Remedy::Trust(Some(folder.to_string()))])
}

async fn perform(scene: &Scene, verb: Verb) -> Exit {
    let done = match verb {
        Verb::Run(arguments) => run::run(scene, arguments).await,
        Verb::Ask(arguments) => ask::ask(scene, arguments).await,
        Verb::Route(arguments) => route::route(scene, arguments).await,
        Verb::Resume(arguments) => resume::resume(scene, arguments).await,
        Verb::List(arguments) => list::list(scene, arguments).await,
        Verb::Status(arguments) => status::status(scene, arguments).await,
        Verb::History(arguments) => history::history(scene, arguments).await,
        Verb::Replay(arguments) => replay::replay(scene, arguments).await,
        Verb::Graph(arguments) => graph::graph(scene, arguments).await,
        Verb::Test(arguments) => test::test(scene, arguments).await,
        Verb::Pause(arguments) => pause::pause(scene, arguments).await,
        Verb::Unpause(arguments) => unpause::unpause(scene, arguments).await,
        Verb::Cancel(arguments) => cancel::cancel(scene, arguments).await,
        Verb::Retry(arguments) => retry::retry(scene, arguments).await,
        Verb::Rollback(arguments) => rollback::rollback(scene, arguments).await,
        Verb::Approve(arguments) => approve::approve(scene, arguments).await,
        Verb::Reject(arguments) => reject::reject(scene, arguments).await,
        Verb::Signal(arguments) => signal::signal(scene, arguments).await,
        Verb::Logs(arguments) => logs::logs(scene, arguments).await,
        Verb::Transcript(arguments) => transcript::transcript(scene, arguments).await,
        Verb::Why(arguments) => why::why(scene, arguments).await,
        Verb::Agents(arguments) => agents::agents(scene, arguments).await,
        Verb::Budget(arguments) => budget::budget(scene, arguments).await,
        Verb::Context(arguments) => context::context(scene, arguments).await,
        Verb::Conversation(arguments) => conversation::conversation(scene, arguments).await,
        Verb::Messages(arguments) => messages::messages(scene, arguments).await,
        Verb::Tasks(arguments) => tasks::tasks(scene, arguments).await,
        Verb::Cache(arguments) => cache::cache(scene, arguments).await,
        Verb::Validate(arguments) => validate::validate(scene, &arguments),
        Verb::Convert(arguments) => convert::convert(scene, &arguments),
        Verb::Schema => schema::schema(scene),
        Verb::Verify => verify::verify(scene).await,
        Verb::Mcp => mcp::mcp(scene).await,
        Verb::Trust(arguments) => trust::trust(scene, arguments),
        Verb::Init(arguments) => init::init(scene, arguments),
        Verb::Doctor => doctor::doctor(scene).await,
        Verb::Config(arguments) => config::config(scene, &arguments),
        Verb::Completions(arguments) => completions::completions(scene, &arguments),
        Verb::Help(arguments) => help::help(scene, &arguments),
    };
    done.unwrap_or_else(|problem| scene.say.problem(&problem))
}
