//! The builder of an engine: what it is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Engine;
use super::life::{self, StoreLocation};
use crate::api::house::{House, OwnAgents};
use crate::api::user::user;
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::executors::function::Functions;
use crate::executors::function::message::{Handler, Handlers, Message};
use crate::executors::function::mind::{MindCall, Remembering};
use crate::executors::function::typed::{StepFunction, UndoFunction};
use crate::executors::{AgentDefinition, Executor, ExecutorKind, Failure};
use crate::store::EventStore;
use crate::text_file::check_data_folder;
use crate::workflow::definition::is_built_in;
use crate::workflow::topic::TopicPattern;

/// An engine that is not started yet.
#[must_use = "it does nothing before it is started"]
pub struct Builder {
    place: Where,
    agents: Vec<(AgentDefinition, Arc<dyn Executor>)>,
    /// What handles messages, each agent by a name of which it is called in any spelling.
    handlers: Vec<(AgentName, Handlers)>,
    /// The patterns of topics of which agents hear.
    subscriptions: Vec<(AgentName, String)>,
    config: Option<Config>,
    work_folder: Option<PathBuf>,
    by: Option<String>,
    /// A type for which one agent was given two closures.
    twice: Option<(AgentName, &'static str)>,
}

/// The place of the store.
pub(super) enum Where {
    Folder(PathBuf),
    Store(Arc<dyn EventStore>),
}

impl Builder {
    pub(super) fn new(place: Where) -> Self {
        Self {
            place,
            agents: Vec::new(),
            handlers: Vec::new(),
            subscriptions: Vec::new(),
            twice: None,
            config: None,
            work_folder: None,
            by: None,
        }
    }

    /// With a function as the agent of that name. It takes what the step's `with` says as a type of its own, and answers the
    /// step's output: `|order: Order| async move { … }`, `|order: Order, call: FunctionCall| …`, or `|| …`. What does not fit
    /// its type fails the step with the class `validation`; so does an answer that is no JSON.
    pub fn function<Takes>(self, name: &str, function: impl StepFunction<Takes>) -> Self {
        self.agent(AgentDefinition::named(AgentName::new(name)), function.executor())
    }

    /// With a function as the agent of that name that undoes steps, as `compensate: {agent: NAME}` names it. It takes
    /// `Undo<T>`, where `T` is the output of the step that is undone: `|undo: Undo<Reservation>| async move { … }`, or
    /// `|undo: Undo<Reservation>, call: FunctionCall| …`.
    pub fn compensation<Takes>(self, name: &str, function: impl UndoFunction<Takes>) -> Self {
        self.agent(AgentDefinition::named(AgentName::new(name)), function.executor())
    }

    /// With an agent that works in a way of the program's own. Of the definition count the name and what a file could say
    /// beside how it works, such as `concurrency`.
    pub fn agent(mut self, definition: AgentDefinition, executor: impl Executor) -> Self {
        let definition = AgentDefinition { executor: ExecutorKind::Function, ..definition };
        self.agents.push((definition, Arc::new(executor)));
        self
    }

    /// With a closure by which the agent of that name handles messages of a type, as soon as they come: those that agents send
    /// each other within runs, and those of [`Engine::agent`]. It takes the message, or the message and a
    /// [`MessageCall`](crate::executors::function::message::MessageCall):
    /// `|quote: Quote| async move { … }`, `|quote: Quote, call: MessageCall| …`; what it answers is told to who waits for it. An
    /// agent may handle any number of types, each by one closure, and do steps beside (`function`, `agent`).
    ///
    /// What it sends and changes through the call is in the commit that says that the message is handled. If it fails the message is
    /// delivered again, five times in all, but for failures of the classes `validation` and `fatal`; so it is when its process
    /// dies: it has to cope with a message that it has handled before (the id of the message tells).
    pub fn on<M: Message, Takes: 'static>(mut self, name: &str, handler: impl Handler<M, Takes>) -> Self {
        let name = AgentName::new(name);
        let known = self.handlers.iter().position(|(known, _)| known.key() == name.key());
        let at = known.unwrap_or_else(|| {
            self.handlers.push((name.clone(), Handlers::default()));
            self.handlers.len() - 1
        });
        if let Some((_, handlers)) = self.handlers.get_mut(at)
            && handlers.on(handler)
        {
            self.twice = self.twice.or(Some((name, M::NAME)));
        }
        self
    }

    /// With a closure by which the agent of that name handles messages of a type within runs, and remembers: it takes the message and
    /// a [`MindCall`]. What it remembers, that it has taken in the message, and what it answers and sends are one commit in a stream of
    /// its own, `mind/NAME`, which outlives every run: `reenact replay mind/NAME --at N` shows it as it was.
    ///
    /// A message is taken in once, however often it is delivered; the closure may be called more often. Runs that are rolled back
    /// or forked leave the mind alone.
    pub fn mind<M, F, R>(self, name: &str, handler: F) -> Self
    where
        M: Message + Clone + Sync,
        F: Fn(M, MindCall) -> R + Send + Sync + Clone + 'static,
        R: Future<Output = Result<M::Answer, Failure>> + Send + 'static,
    {
        self.on(name, Remembering(handler))
    }

    /// With an agent that hears of topics: those that the pattern matches, in which `*` is any one word and `**` at the end all that
    /// follow. It has to be one that `on`, `function` or `agent` names.
    pub fn subscribe(mut self, name: &str, pattern: &str) -> Self {
        self.subscriptions.push((AgentName::new(name), pattern.to_owned()));
        self
    }

    /// With that configuration; without one, the defaults alone hold. `Config::load(&Sources::of_process(None)?)` is what the
    /// command line takes.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// In that folder, which relative paths of workflows without a file mean; without one, in the current folder.
    pub fn work_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work_folder = Some(folder.into());
        self
    }

    /// In that name, which is recorded with what is asked through it; without one, in that of the user of the operating system.
    pub fn by(mut self, name: impl Into<String>) -> Self {
        self.by = Some(name.into());
        self
    }

    /// Starts it. What was interrupted in this store goes on; a run whose agents this program does not have is left alone.
    ///
    /// # Errors
    /// [`Code::AgentTwice`] for a name that is registered twice, and for a type of messages that is for one agent; [`Code::BadAgent`] for one that is none, or is that of a
    /// built-in agent; [`Code::StoreTaken`] when another holds the data folder, with its process and command; whatever keeps
    /// the store from being opened.
    pub async fn start(self) -> Result<Engine, Problem> {
        let Self { place, agents, handlers, subscriptions, config, work_folder, by, twice } = self;
        if let Some((name, message)) = twice {
            let message = format!("`{name}` is given two closures for messages of the type `{message}`");
            return Err(Problem::new(Code::AgentTwice, message));
        }
        let cwd = current_folder()?;
        let work_folder = work_folder.map_or_else(|| cwd.clone(), |folder| cwd.join(folder));
        let config = config.map_or_else(Config::built_in, Ok)?;
        let (data, place) = match place {
            Where::Folder(folder) => (cwd.join(folder), StoreLocation::Folder),
            Where::Store(store) => (PathBuf::new(), StoreLocation::Store(store)),
        };
        if let StoreLocation::Folder = place {
            check_data_folder(&data)?;
        }
        let house = House {
            data,
            config,
            work_folder,
            looks: false,
            own: own(agents, handlers, &subscriptions)?,
            fatal: None,
        };
        let (link, life) = life::start(house, place).await?;
        Ok(Engine { link, life: Some(Arc::new(life)), by: by.unwrap_or_else(user).into() })
    }
}

/// The agents that a program registers, each once.
fn own(
    mut agents: Vec<(AgentDefinition, Arc<dyn Executor>)>,
    handlers: Vec<(AgentName, Handlers)>,
    subscriptions: &[(AgentName, String)],
) -> Result<OwnAgents, Problem> {
    let mut names: BTreeMap<String, AgentName> = BTreeMap::new();
    let mut own = OwnAgents { definitions: Vec::new(), functions: Functions::default() };
    let mut handling: BTreeMap<String, Handlers> = BTreeMap::new();
    for (name, mut handlers) in handlers {
        let types = handlers.types();
        match agents.iter_mut().find(|(definition, _)| definition.name.key() == name.key()) {
            Some((definition, executor)) => {
                handlers.steps(Arc::clone(executor));
                definition.handles = types;
            }
            None => {
                let definition = AgentDefinition { handles: types, ..AgentDefinition::named(name.clone()) };
                let definition = AgentDefinition { executor: ExecutorKind::Function, ..definition };
                agents.push((definition, Arc::new(handlers.clone())));
            }
        }
        handling.insert(name.key(), handlers);
    }
    for (name, pattern) in subscriptions {
        let bad = |message: String| Problem::new(Code::BadAgent, message);
        let known = agents.iter_mut().find(|(definition, _)| definition.name.key() == name.key());
        let (definition, _) =
            known.ok_or_else(|| bad(format!("`{name}` subscribes to `{pattern}`, and is no agent here")))?;
        let pattern = TopicPattern::parse(pattern).map_err(|why| bad(format!("`{name}`: {why}")))?;
        definition.subscribes.push(pattern);
    }
    for (definition, executor) in agents {
        let name = &definition.name;
        name.check().map_err(|error| Problem::new(Code::BadAgent, error.to_string()))?;
        if is_built_in(name) {
            let message = format!("`{name}` cannot be registered: an agent of that name is built in");
            return Err(Problem::new(Code::BadAgent, message));
        }
        if let Some(before) = names.insert(name.key(), name.clone()) {
            let message = match before == *name {
                true => format!("`{name}` is registered twice"),
                false => format!("`{name}` is registered, and so is `{before}`, which is the same name"),
            };
            return Err(Problem::new(Code::AgentTwice, message));
        }
        match handling.remove(&name.key()) {
            Some(handlers) => own.functions.add_handlers(name, handlers),
            None => own.functions.add(name, executor),
        }
        own.definitions.push(definition);
    }
    Ok(own)
}

/// The folder that relative paths mean.
pub(super) fn current_folder() -> Result<PathBuf, Problem> {
    std::env::current_dir()
        .map_err(|error| Problem::new(Code::FileNotRead, format!("the current folder is gone: {error}")))
}
