//! `reenact list`: runs, newest first, once or as they change.

use std::collections::HashMap;
use std::time::Duration;

use super::arguments::ListArguments;
use super::region::Size;
use super::screen::Screen;
use super::see::{self, Exchange, Signals};
use super::text::table::{self, Look};
use super::text::{Text, terminal};
use super::{Exit, Scene, start};
use crate::aggregates::run::RunStatus;
use crate::api::door::{Door, NoAnswer};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Frame, Listed, ListedRun, Listing, Request, Response};
use crate::api::wording::Worded;
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem, nearest};
use crate::views::projections::runs::RunFilter;

/// Those that nobody drives, as `--status` names them.
pub(super) const INTERRUPTED: &str = "interrupted";

/// How many runs are read for a terminal, whatever its size becomes: none has room for more.
const DRAWN_MAX: usize = 200;

/// How often it is looked whether somebody holds the store, or did, while nobody does.
const LOOK: Duration = Duration::from_millis(250);

impl Worded for Listed {}
impl Worded for ListedRun {}

pub(super) async fn list(scene: &Scene, arguments: ListArguments) -> Result<Exit, Problem> {
    let (watch, again) = (arguments.watch, again(&arguments));
    let (utc, tree, spend) = (arguments.utc, arguments.tree, arguments.verbose);
    let look = Look { columns: scene.say.columns(), utc, tree, spend };
    let mut listing = listing(arguments)?;
    if let Some(after) = listing.after.as_ref().filter(|_| !is_store(&scene.house.data)) {
        // Where there is no store there is no such run.
        return Err(unknown_run(after));
    }
    if watch {
        if scene.say.is_json() || look.columns.is_none() {
            listing.parents = false;
        }
        return Watching::new(scene, listing, look).watch().await;
    }
    let mut listed = Listed::default();
    if is_store(&scene.house.data) {
        let mut signals = Signals::listen()?;
        let door = scene.open().await?;
        let request = Request::Listing { listing, watch: false };
        match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
            Exchange::Interrupted => return Ok(Exit::Interrupted),
            Exchange::Response(Response::Listed(found), door) => {
                listed = found;
                see::leave(door, &mut signals).await?;
            }
            Exchange::Response(other, _) => return Err(other.mismatch()),
        }
    }
    if look.tree {
        listed.runs = table::in_tree(listed.runs);
    }
    scene.say.result(&listed, |listed| table::runs(&listed.runs, look));
    if !scene.say.is_json() {
        scene.say.note(&place(scene, &listed, again));
    }
    Ok(Exit::Good)
}

fn listing(arguments: ListArguments) -> Result<Listing, Problem> {
    let interrupted = arguments.status.as_deref() == Some(INTERRUPTED);
    let named = arguments.status.as_deref().filter(|_| !interrupted);
    let filter = RunFilter {
        status: named.map(status).transpose()?,
        workflow: arguments.workflow,
        tags: start::pairs(&arguments.tags, "tag")?,
        unfinished: interrupted,
        no_children: false,
        limit: Some(arguments.limit).filter(|limit| *limit > 0),
    };
    Ok(Listing { filter, interrupted, after: arguments.after, parents: arguments.tree })
}

/// The words that ask for the same list, but for where it begins.
fn again(arguments: &ListArguments) -> Vec<String> {
    let ListArguments { status, workflow, tags, limit, after: _, utc, tree, verbose, watch: _ } = arguments;
    let mut words = vec!["list".to_owned()];
    let mut add = |option: &str, value: &String| words.extend([option.to_owned(), value.clone()]);
    status.iter().for_each(|status| add("--status", status));
    workflow.iter().for_each(|workflow| add("--workflow", workflow));
    tags.iter().for_each(|tag| add("--tag", tag));
    add("--limit", &limit.to_string());
    words.extend(
        [(*utc, "--utc"), (*tree, "--tree"), (*verbose, "--verbose")]
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| word.to_owned()),
    );
    words
}

/// Where the runs are kept, how many are shown, and how to see more.
fn place(scene: &Scene, listed: &Listed, mut again: Vec<String>) -> Text {
    let folder = scene.house.data.display();
    match (&listed.next, listed.runs.len()) {
        (Some(last), count) => {
            again.extend(["--after".to_owned(), last.to_string()]);
            terminal!(
                "{} runs of those in {}, and there are more: {}",
                count,
                folder,
                scene.call.command(again)
            )
        }
        (None, 0) => terminal!("looked in {}", folder),
        (None, 1) => terminal!("1 run in {}", folder),
        (None, count) => terminal!("{} runs in {}", count, folder),
    }
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::ALL.iter().copied().find(|status| status.text() == text).ok_or_else(|| {
        let problem = Problem::new(Code::Usage, format!("`{text}` is no status of a run"));
        let names = RunStatus::ALL.iter().map(|status| status.text()).chain([INTERRUPTED]);
        match nearest(text, names.clone()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("there are {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// The list as it changes: drawn anew on a terminal; elsewhere a line for each run that has.
struct Watching<'s> {
    scene: &'s Scene,
    listing: Listing,
    look: Look,
    /// What is drawn on a terminal.
    screen: Option<Screen<'s>>,
    /// The runs as they were last told.
    told: HashMap<RunId, ListedRun>,
}

impl<'s> Watching<'s> {
    fn new(scene: &'s Scene, mut listing: Listing, look: Look) -> Self {
        let draws = !scene.say.is_json() && scene.say.can_draw_results();
        let screen = draws.then(|| Screen::new(&scene.say));
        if screen.is_some() {
            let limit = listing.filter.limit.unwrap_or(DRAWN_MAX);
            listing.filter.limit = Some(limit.min(DRAWN_MAX));
        }
        Self { scene, listing, look, screen, told: HashMap::new() }
    }

    async fn watch(mut self) -> Result<Exit, Problem> {
        let mut signals = Signals::listen()?;
        let watched = self.until(&mut signals).await.map(|()| self.scene.left());
        if let Some(screen) = &self.screen {
            screen.leave();
        }
        watched
    }

    /// Shows the list until a signal comes, or nobody reads it any more. Who only looks does not hold the store meanwhile:
    /// others would find it held, and have their runs driven here. Whoever holds it tells; while nobody does, it is read again
    /// when somebody has.
    async fn until(&mut self, signals: &mut Signals) -> Result<(), Problem> {
        let (scene, mut looked) = (self.scene, None);
        let data = scene.house.data.clone();
        loop {
            let connected = tokio::select! {
                connected = scene.house.connect_in_time() => connected,
                () = over(scene, signals) => return Ok(()),
            };
            match connected {
                Ok(client) => {
                    let request = Request::Listing { listing: self.listing.clone(), watch: true };
                    let mut door = Door::There(client);
                    let mut show = |frame| {
                        if let Frame::Listed(listed) = frame {
                            self.show(listed);
                        }
                    };
                    let answer = tokio::select! {
                        answer = door.ask(&request, &mut show) => answer,
                        () = over(scene, signals) => return Ok(()),
                        never = see::tell_of_silence(scene) => match never {},
                    };
                    if let Err(NoAnswer::Problem(problem)) = answer {
                        return Err(problem);
                    }
                    looked = None;
                }
                Err(NoAnswer::Problem(problem)) if problem.code == Code::StoreHeld => return Err(problem),
                Err(_) if !is_store(&data) && looked.is_none() => self.show(Listed::default()),
                Err(_) if is_store(&data) && looked != Some(scene.house.traces()) => {
                    let before = scene.house.traces();
                    let door =
                        if looked.is_none() { scene.open().await? } else { scene.house.open().await? };
                    let request = Request::Listing { listing: self.listing.clone(), watch: false };
                    match see::ask(scene, door, &request, signals, &mut |_| {}).await? {
                        Exchange::Interrupted => return Ok(()),
                        Exchange::Response(Response::Listed(listed), door) => {
                            self.show(listed);
                            let is_copy = door.is_to_copy();
                            see::leave(door, signals).await?;
                            // Whoever looks at the store itself leaves traces as well.
                            looked = Some(if is_copy { before } else { scene.house.traces() });
                        }
                        Exchange::Response(other, _) => return Err(other.mismatch()),
                    }
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = over(scene, signals) => return Ok(()),
            }
        }
    }

    fn show(&mut self, listed: Listed) {
        let Self { scene, look, screen, told, .. } = self;
        if let Some(screen) = screen {
            let runs = if look.tree { table::in_tree(listed.runs) } else { listed.runs };
            let look = *look;
            screen.show(move |size| drawn(&runs, look, size), Text::default());
            return;
        }
        // The newest is told last, as what comes later is.
        for run in listed.runs.into_iter().rev() {
            if !told.get(&run.run).is_some_and(|told| told.says_the_same(&run)) {
                scene.say.result(&run, |run| table::changed(run, *look));
                told.insert(run.run.clone(), run);
            }
        }
    }
}

/// As many runs as fit on a terminal below their header.
fn drawn(runs: &[ListedRun], look: Look, size: Size) -> Text {
    let fits = size.lines().saturating_sub(1).max(1);
    let look = Look { columns: Some(size.width()), ..look };
    table::runs(runs.get(..fits).unwrap_or(runs), look)
}

/// Ends when a signal came, or nobody gets the list any more.
async fn over(scene: &Scene, signals: &mut Signals) {
    tokio::select! {
        () = signals.came() => {}
        () = scene.say.unheard(true) => {}
    }
}
