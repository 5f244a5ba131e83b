//! The stable codes of everything that a person can be told is wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Class, Document, Look, Remedy};

/// A cell of the table: plain words, or what each medium has its own words for.
macro_rules! remedy {
    ($text:literal) => {
        Remedy::plain($text)
    };
    ($name:ident) => {
        Remedy::$name
    };
    (($($remedy:tt)+)) => {
        Remedy::$($remedy)+
    };
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident, $what:literal $(, $remedy:tt)+;)*) => {
        /// The stable codes of everything that a person can be told is wrong. The table below is the only place
        /// where one is defined; a code is never given another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $what] $name,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as people see it: `RE-` and four digits.
            pub const fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            /// The class of a failure with this code, unless it says otherwise.
            pub const fn class(self) -> Class { match self { $(Self::$name => Class::$class,)* } }

            /// The meaning of the code, in a line for people.
            pub const fn meaning(self) -> &'static str { match self { $(Self::$name => $what,)* } }

            /// The remedies that always are there for it.
            pub const fn remedies(self) -> &'static [Remedy] {
                match self { $(Self::$name => const { &[$(remedy!($remedy)),+] },)* }
            }
        }
    };
}

codes! {
    // 10: how a command is called
    Usage = "RE-1001", Validation, "A command was called in a way that it does not understand",
        ReadHelp;
    BadRunId = "RE-1002", Validation, "A text is no run id", "choose letters, digits, `.`, `_` and `-`, at most 64";
    UnknownRun = "RE-1003", Validation, "No run has that id", LookAtRuns;
    AmbiguousRun = "RE-1004", Validation, "Several runs match", "give more of the id", LookAtRuns;
    RunIdTaken = "RE-1005", Validation, "A run with that id has another definition or input, or began in another way",
        AnotherId;
    NothingToResume = "RE-1006", Validation, "No run is interrupted", LookAtRuns;
    NotBuilt = "RE-1007", Validation, "A feature that this version does not have", "leave it out, or use a version that has it";
    RequestTooLarge = "RE-1008", Validation, "More is given at once than a process that holds a store takes",
        "put what is big into a file that a step reads";
    NotWritten = "RE-1009", Fatal, "A result could not be written to stdout", "make room where it goes, and ask again";
    BadRequest = "RE-1010", Validation, "What came over the control socket is no request",
        "use the same version of Reenact as the process that holds the store";
    NoClient = "RE-1011", Validation, "What speaks on stdin is no client of the Model Context Protocol",
        "have an assistant start it";

    // 11: workflow files
    FileNotRead = "RE-1101", Validation, "A file cannot be read", "check the path and the permissions";
    NotYaml = "RE-1102", Validation, "A file is not YAML", "check indentation, quotes and colons at that place";
    UnknownKey = "RE-1103", Validation, "A key that does not exist", "check the spelling", (Read(Document::Workflows));
    BadValue = "RE-1104", Validation, "A value that its key does not take", (Read(Document::Workflows));
    DuplicateStep = "RE-1105", Validation, "Two steps have one id", "give each step an id of its own";
    NoSteps = "RE-1106", Validation, "A workflow without steps", "add at least one step under `steps:`";
    Cycle = "RE-1107", Validation, "Steps that wait for each other in a circle", "take one `needs` out of the circle";
    UnknownStep = "RE-1108", Validation, "`needs` names a step that is not there", "check the spelling, or add the step";
    BadStepId = "RE-1109", Validation, "A text is no step id",
        "begin with a letter or `_`, then letters, digits, `_` or `-`, at most 64";
    StepKind = "RE-1110", Validation, "A step that does nothing, or several things",
        "give a step exactly one of `run`, `agent`, `sleep`, `wait_for` and `workflow`";
    BadDuration = "RE-1111", Validation, "A text is no duration", "write it like `500ms`, `10s`, `1h30m` or `7d`";
    Contradiction = "RE-1112", Validation, "Keys that cannot stand together", "take one of them out";
    TooLarge = "RE-1113", Validation, "A file or a value beyond its limit", "make it smaller, or split it";
    DuplicateKey = "RE-1114", Validation, "A key that stands twice in one map", "take one of them out";
    BadSchema = "RE-1115", Validation, "An `input` or a `schema` that is no JSON Schema", "see json-schema.org; `type: object` with `properties` is enough for most";

    NotAFolder = "RE-1117", Validation, "The path of the data is not that of a folder",
        NameFolder, "or take away what is there";
    ChildWorkflow = "RE-1116", Validation, "A `workflow:` that is missing, wrong, or starts itself",
        "name a workflow file that does not lead back to this one; its path is relative to this file";

    UnknownPhase = "RE-1118", Validation, "`phases` names a phase that no step has", "give its steps that `phase`, or take it out";
    PhaseCircle = "RE-1119", Validation, "A phase whose approval waits for itself",
        "let the step between two of the phase belong to it, or take the one after it out of the phase";

    InTheWay = "RE-1120", Validation, "A file that would be made is there already", "name another folder, or move away what is there";
    FileNotMade = "RE-1121", Validation, "A file cannot be written", "check the folder and its permissions, and whether there is room";

    NoSubtasks = "RE-1122", Validation, "A Markdown chain without subtasks", "begin each with a heading: `### Subtask 1: NAME`";
    BrokenFence = "RE-1123", Validation, "A block of a Markdown chain is not closed",
        "close it with a bare fence; inside of a block a fence with a language opens another, and a bare one closes the innermost";
    BadSubtask = "RE-1124", Validation, "A subtask of a Markdown chain lacks something, or says it twice", (Read(Document::Chains));
    ChainAdvice = "RE-1125", Validation, "A Markdown chain says what is allowed, and harder to run or to keep", (Read(Document::Chains));
    NoChain = "RE-1126", Validation, "A file that should be a Markdown chain is none", "name a file that ends in `.md`";

    // 12: expressions and input
    BadExpression = "RE-1201", Validation, "An expression that does not parse", "expressions are minijinja", (Read(Document::Workflows));
    UnknownName = "RE-1202", Validation, "A name that an expression cannot know",
        "there are `input`, `steps.ID.output`, `steps.ID.status`, `steps.ID.attempts`, `run.id`, `env.NAME`, in a fan-out `item` and `index`, in a `compensate` `output` and `outcome`, in an `until` `output` and `round`, in the `output` of a step `output`";
    BadInput = "RE-1203", Validation, "The input does not fit its schema", "the workflow's `input` says what is wanted";
    ExpressionFailed = "RE-1204", Validation, "An expression failed on these values", "check the values that it uses", (LookAtRun(Look::Outputs));
    NoOutput = "RE-1205", Dependency, "An expression uses the output of a step that has none, or a value that is `needed` and not there",
        "test it first, as in `if: steps.ID.status == 'completed'`";
    QuotedValue = "RE-1206", Validation, "A value of a shell command stands where its quotes would not protect it",
        "let it be a word of its own, without your quotes; or give the step `env: {NAME: …}` and write `\"$NAME\"` there (`$NAME` in a here-document, whose end then has no quotes: `<<EOF`); `| raw` inserts a value as it is";
    NotAList = "RE-1207", Validation, "A `for_each` over something that is no list", "give it a list";
    NotJson = "RE-1208", Validation, "A text that should be JSON is none", "JSON has no comments, no trailing commas, and texts in double quotes";
    TooDeep = "RE-1209", Validation, "JSON, YAML or an expression is nested too deep, or too long", "make it flatter, or split it";
    TextFalse = "RE-1210", Validation, "An `if` or an `until` whose value is a text: every text but the empty one is true",
        "compare it, as in `input.deploy == 'true'`, or give the input `type: boolean`";

    // 13: agents
    UnknownAgent = "RE-1301", Validation, "No agent has that name", "add `agents/NAME.md`, or check the spelling";
    BadAgent = "RE-1302", Validation, "An agent's definition is wrong", (Read(Document::Agents));
    UnknownAgentKey = "RE-1303", Validation, "An agent's file has a key that Reenact does not know",
        "it is kept and means nothing", (Read(Document::Agents));
    AgentHidden = "RE-1304", Validation, "An agent's file is hidden by another agent of that name", "rename one of them, or take it away";
    NoEffect = "RE-1306", Validation, "A key of an agent that has no effect, as it is for agents of another kind",
        "take it out, or give the agent the `executor` that it is for";
    HandoffToNobody = "RE-1309", Validation, "An agent may hand its work over to one that is not there",
        "add that agent, or take its name out of the `handoffs`";
    AgentTwice = "RE-1310", Validation, "A program registers two agents of one name",
        "names match without case, `-`, `_`, spaces, and a last `_agent` or `_vN`: register each once";
    AgentLacking = "RE-1307", Validation, "A run needs an agent or a function that this process does not have",
        "let the program go on with it that has them, as one that embeds Reenact registers its functions; nothing of the run has changed";
    AgentDraining = "RE-1308", Validation, "A run that would begin names an agent that is draining",
        "name another agent", UnpauseAgent;
    NobodyAsked = "RE-1311", Validation, "Something was asked, nothing says of which agent, and none fits",
        "name the agent, or set `default_agent` in the configuration";
    NobodyPlans = "RE-1330", Validation, "A goal is to be reached, and nothing says which agent plans",
        "set `goal.manager` in the configuration, or `stuck.manager`";
    AgentStandsIn = "RE-1313", Validation, "A Markdown chain names an agent that is not there, and the default agent does its work",
        "add that agent, or name the one that is meant";
    ToolOfNobody = "RE-1314", Validation, "An agent names a tool that is no agent, and not built in",
        "check the spelling; files of other tools may mean one of theirs", (Read(Document::Tools));
    LooseFrontMatter = "RE-1312", Validation, "The front matter of an agent's file is no YAML, and was read all the same",
        "put texts that hold `: ` in quotes";
    UnknownFunction = "RE-1305", Validation, "No function of that name is registered",
        "functions are registered by the program that embeds Reenact";

    // 14: shared contexts
    BadContextName = "RE-1401", Validation, "A text is no name of a context or of a lock, or no key of a context",
        (Read(Document::Contexts));
    UnknownContext = "RE-1402", Validation, "No context has that name: nothing was ever written to it",
        "check the spelling, or set a key of it";
    NoSuchContextKey = "RE-1403", Validation, "The context has no such key", "check the spelling";
    ContextConflict = "RE-1404", Transient, "A key of a context has another version than was expected: nothing is written",
        "read it again, and expect the version that it has";
    UnknownAlias = "RE-1409", Validation, "An agent names a shared context by an alias that its workflow does not have",
        "name the context at the top of the file: `contexts: {ALIAS: NAME}`";
    MindChanged = "RE-1410", Transient, "A mind has taken in another message since, and may know better", "try again";
    ContextFull = "RE-1405", Validation, "A context has as many keys, locks or waiters as it may have",
        (Read(Document::Limits));
    LockHeld = "RE-1406", Transient, "Somebody else holds the lock, or comes first", "try again, or wait for it";
    LockNotHeld = "RE-1407", Transient, "Somebody releases, renews or writes under a lock that is not theirs, or not any more",
        "acquire it, and use the number of that grant";
    LockWaitOver = "RE-1408", Transient, "A lock was waited for in vain",
        "let its holder release it sooner; where two hold what the other waits for, acquire locks in one order";

    CacheFiles = "RE-1411", Validation, "The files that a cached answer hangs on cannot be read, or are too many",
        "name fewer files in `cache.files`, and such as can be read", (Read(Document::Limits));
    // 15: messages between agents
    BadMessage = "RE-1501", Validation, "A message that an agent sends cannot be understood", (Read(Document::Messages));
    UnknownMessageKind = "RE-1502", Validation, "A message is of a kind that there is not",
        "there are task, result, request, response, notice, handoff and control";
    MessageTooLong = "RE-1503", Validation, "The body of a message is longer than it may be",
        "write what is big into a file, and send its name";
    TooManyMessages = "RE-1504", Validation, "An attempt sends more messages than it may", "send fewer, with more in each";
    MailboxFull = "RE-1505", Transient, "As many messages as may wait already, and nobody has handled them",
        "try again when some are handled; let their receiver have more steps, or send it less";
    BadMessageDeadline = "RE-1506", Validation, "The deadline of a message is neither a duration nor a moment",
        "write it like `10m`, or like `2026-11-21T09:00:00Z`";
    BadTopic = "RE-1507", Validation, "A topic that is none, or a pattern that matches every topic", (Read(Document::Messages));
    NoSuchMessage = "RE-1508", Validation, "The run has no such message", "check the number";
    MessageNotDead = "RE-1509", Validation, "A message is to be sent again that is handled, or is on its way",
        "send again only what is dead";
    NoSuchReceiver = "RE-1510", Dependency, "A message is for an agent that the run does not have",
        "check the spelling, or let a step of the workflow name the agent";
    WrongMessage = "RE-1511", Validation, "A message is of a type that its receiver does not take, or does not say what that type says",
        "send one of a type that it handles, in the shape of that";
    NotWithMessages = "RE-1512", Validation, "Who handles a message hands over, or writes into a context that runs share",
        "leave that to a step, or send a message to an agent that does one";
    AnswerLate = "RE-1513", Transient, "Nobody answered a message in time", "give its receiver longer, or ask again";
    MessageNotGiven = "RE-1514", Validation, "A program says that it has handled a message that it was not given, or that it has handled before",
        "name the `id` of a message that it was given, once";
    MessageNotHandled = "RE-1515", Validation, "Attempts of an agent with `stream: true` succeeded, and did not say that they had handled a message",
        "have its program write `HANDLED: ID` for each message";
    // 16: handoffs
    BadHandoff = "RE-1601", Validation, "What an agent declares as a handoff cannot be read, or lacks a reason or a context",
        (Read(Document::Handoffs));
    UnknownHandoff = "RE-1602", Validation, "An agent hands over to one that the run does not know",
        "let it name an agent that the run began with";
    HandoffNotAllowed = "RE-1603", Validation, "An agent hands over to one to which it may not", (Read(Document::Handoffs));
    HandoffLoop = "RE-1604", Validation, "An agent hands back to one of its chain without telling it anything new",
        "let it say in the context what is new, or finish the work itself";
    TooManyHandoffs = "RE-1605", Validation, "A chain would have more handoffs than it may", (Read(Document::Limits));
    HandoffMisplaced = "RE-1606", Validation, "A handoff stands where there can be none: it is the second of an answer, beside a plan, or undoes something",
        (Read(Document::Handoffs));

    // 17: conversations
    BadConversationName = "RE-1701", Validation, "A text is no name of a conversation", (Read(Document::Conversations));
    UnknownConversation = "RE-1702", Validation, "No conversation has that name: nothing was ever said in it",
        "check the spelling, or add a turn to it";
    BadTurn = "RE-1703", Validation, "A turn of a conversation is none", (Read(Document::Conversations));
    TurnTooLarge = "RE-1704", Validation, "A turn has more tokens than the window of its conversation",
        "say it in parts, or give conversations a larger window: `[conversation]` in the configuration";
    ConversationFull = "RE-1705", Validation, "There is no room in the window of a conversation beside what is pinned there",
        "unpin turns, or give conversations a larger window: `[conversation]` in the configuration";
    ConversationChanged = "RE-1706", Transient, "Others went on with a conversation while it was compressed", "try again";
    NoSuchTurn = "RE-1707", Validation, "The conversation has no such turn, or it has left the window", "check the number";
    TurnIdTaken = "RE-1708", Validation, "A turn with that id says something else", "choose another id";

    // 18: tasks that are handed out
    NoSuchTask = "RE-1801", Validation, "A text names no task, or one that the run has not handed out, or no lease of it",
        "copy the whole `id` of the task that you took";
    TaskOver = "RE-1802", Validation, "A task is answered that is not open any more", (LookAtRun(Look::Status));
    TaskHeld = "RE-1803", Transient, "Somebody else has the task", "take another, or try again when their lease is over";
    LeaseOver = "RE-1804", Validation, "A task is answered under a lease that is over: nothing of the answer is taken",
        "keep the answer; if nobody has the task by now, take it again and answer under the new lease";
    TaskNotHandedOut = "RE-1805", Validation, "The run hands out no task as it is", (LookAtRun(Look::Status));
    BadLease = "RE-1806", Validation, "A lease that is too long, or no time at all", (Read(Document::Limits));
    AnswerTooLong = "RE-1807", Validation, "The answer to a task is longer than it may be: nothing of it is taken",
        "write what is big into a file, and answer its name";

    // 19: requests that are routed
    NoAgents = "RE-1901", Validation, "A request is to be routed, and there are no agents", "add `agents/NAME.md`, or begin a project from the template `team`";
    EmptyRequest = "RE-1902", Validation, "A request says nothing", "say what is wanted";
    BadRules = "RE-1903", Validation, "The rules of routing are wrong", (Read(Document::Routing));
    BadCases = "RE-1904", Validation, "A file of cases is wrong", (Read(Document::Routing));

    // 20: what a run refuses
    RunEnded = "RE-2001", Validation, "The run has ended", "start another run";
    RunParked = "RE-2002", Fatal, "The history of a run holds what this version does not understand",
        "use the version that wrote it, or a newer one", Verify;
    Busy = "RE-2003", Transient, "More is asked at once than the queues hold", "try again";
    ShuttingDown = "RE-2004", Transient, "The process is ending", "try again: the next process goes on";

    CannotRollBack = "RE-2005", Validation, "The run cannot be rolled back so", (LookAtRun(Look::Status));
    NotStuck = "RE-2006", Validation, "The step's compensation has not failed for good", (LookAtRun(Look::Stuck));
    CannotRetry = "RE-2007", Validation, "The run has nothing to try again", (LookAtRun(Look::Status));
    Compensating = "RE-2008", Validation, "The run is being rolled back", "wait until it is, or settle what is stuck";
    NoSuchStep = "RE-2009", Validation, "The run has no such step", (LookAtRun(Look::Steps));
    NoSuchVersion = "RE-2010", Validation, "The run has no such version", (LookAtHistory(Look::Versions));
    PastNoReturn = "RE-2011", Validation, "An irreversible step has started: what was done before it cannot be undone",
        "go forward, or roll back to a step after it", (LookAtRun(Look::Commands));
    Conflicting = "RE-2012", Validation, "Another command came first", (LookAtRun(Look::Done));

    UnknownRequest = "RE-2013", Validation, "The run has no such request for an approval",
        (LookAtRun(Look::Waits));
    RequestClosed = "RE-2014", Validation, "What is answered is answered already, has expired, or is not asked or waited for any more",
        (LookAtHistory(Look::Fate));
    NotAnApprover = "RE-2015", Validation, "Somebody answers who is not asked", "one of the step's `approvers` has to";
    CannotEdit = "RE-2016", Validation, "An approval edits what cannot be edited so",
        "arguments of an agent or a child workflow can be set, and an output that is a map";

    RequestChanged = "RE-2018", Validation, "What a request asks has another hash than the answer is for",
        "look at it again", (LookAtRun(Look::Asked));
    NotTicked = "RE-2019", Validation, "A request is granted only when all points of its checklist are ticked, and some are not",
        "look at them, and tick them", (LookAtRun(Look::Asked));

    NoSuchAttempt = "RE-2017", Validation, "The step has no such attempt", (LookAtRun(Look::Attempts));

    TooManyClients = "RE-2021", Transient, "More processes than are let in at once ask the one that holds the store",
        "try again, with fewer at once";
    HungUp = "RE-2022", Fatal, "The process that holds the store hangs up on what it is asked, again and again",
        "see what it logs; end it, or use its version of Reenact";
    Shortage = "RE-2023", Transient, "The system has no threads or files left for a process that needs some",
        "end what else runs, or raise the limits (`ulimit -n`, `ulimit -u`), and try again";

    NotCompleted = "RE-2031", Validation, "The output is wanted of a run that has not completed", "look at its outcome first";
    OutputMisfit = "RE-2032", Validation, "The output of a run is not of the type that is wanted", "see what the workflow's `output` says";

    NotRaised = "RE-2041", Validation, "A run is to be let spend more, and has no such limit, or one that is as high",
        "name a limit that it has, and a higher number", RaiseBudget;

    // 21: models
    NoModel = "RE-2101", Validation, "An agent asks a model, and nothing says which",
        "set `model` in its file or under `[agents.NAME]`, or `default_model` in the configuration", (Read(Document::Models));
    UnknownModel = "RE-2102", Validation, "No model has that name", "add `[models.NAME]` to the configuration, or check the spelling", (Read(Document::Models));
    UnknownProvider = "RE-2103", Validation, "No provider of models has that name", "add `[providers.NAME]` to the configuration, or check the spelling", (Read(Document::Models));
    KeyMissing = "RE-2104", Fatal, "The variable that should hold the key of a provider does not", "set it where this process is started, or take `api_key_env` out if the provider needs no key";
    ModelRefused = "RE-2111", Validation, "A provider refuses what it is asked", "see its message", (Read(Document::Models));
    ModelForbidden = "RE-2112", Fatal, "A provider does not let in whoever asks", "see its message; check the key, and what its account may do";
    ModelBusy = "RE-2113", Transient, "A provider is asked too much", "give the step a `retry`, or the agent a `rate`";
    ModelFailed = "RE-2114", Transient, "A provider failed", "give the step a `retry`, or a `fallback`";
    ModelUnreachable = "RE-2115", Transient, "A provider cannot be reached", "check its `base_url`, and the network";
    ModelTooSlow = "RE-2116", Transient, "A provider did not answer in time", "see `[llm]` in the configuration";
    ModelAnswerLost = "RE-2117", Transient, "The answer of a model broke off", "it may have been paid for; give the step a `retry`";
    ModelGarbage = "RE-2118", Unknown, "What a provider answered is nothing of its format", "check its `kind` and its `base_url`";
    ModelAnswerTooLong = "RE-2119", Validation, "The answer of a model is longer than it may be", "see `llm.answer_max` in the configuration";
    ProviderLeftAlone = "RE-2120", Transient, "A provider failed again and again, and is left alone for a while", "see what failed before, and `llm.breaker_failures` in the configuration";
    PromptTooLong = "RE-2121", Validation, "A conversation is longer than the model can see", "give it less, or use a model with a larger window";
    ModelCutShort = "RE-2122", Validation, "The answer of a model was cut off, as it may have no more tokens", "raise `max_tokens` of the agent, or `max_output` of the model";
    ModelDeclined = "RE-2123", Validation, "A model declined to answer", "see what it said";
    UnknownTool = "RE-2124", Validation, "A model wants to use a tool that it was not offered", "see its transcript";
    BadToolCall = "RE-2125", Validation, "A model wants to use a tool in a way that this cannot be used", "see its transcript";
    TurnsUsedUp = "RE-2126", Validation, "An agent wants tools to be used, and may have no more turns", "raise `max_turns` of the agent, or see what it was about";

    // 22: tools
    NoSuchTool = "RE-2201", Validation, "This version has no such tool", "use the version that began the run, or a newer one", (Read(Document::Tools));
    ToolInput = "RE-2202", Validation, "A tool was called with what it does not take", "see what it takes", (Read(Document::Tools));
    ToolOfLoop = "RE-2203", Validation, "A tool that only a model can call in its turns is to do a step", "name an agent that does the step";
    ToolPath = "RE-2204", Validation, "A tool was given a path that it may not use", "tools stay in the work folder", (Read(Document::Tools));
    ToolNotThere = "RE-2205", Validation, "A tool was given a file or a folder that is not there, or is of another kind", "look what there is: `list` and `find` tell";
    ToolTooMuch = "RE-2206", Validation, "A tool was asked for more than it may do", "ask for less at a time", (Read(Document::Tools));
    ToolNoMatch = "RE-2207", Validation, "A text that a tool should replace is not there, or not once", "read the file again, and name more of what stands around it";
    ToolFailed = "RE-2208", Transient, "A tool could not read or write", "see its message";
    ToolNotAllowed = "RE-2209", Validation, "The system does not let a tool read or write something", "check who may";
    NoTestCommand = "RE-2210", Validation, "The tool `test` is called, and nothing says how to test", "set `test` below `[tools]` in the configuration";
    GitRefused = "RE-2211", Validation, "Git does not show what a tool asks for", "see its message";
    ToolAddress = "RE-2221", Validation, "A tool was given an address that it may not use", "only public addresses are used, unless `tools.private_addresses` in the configuration says otherwise";
    ToolUnreachable = "RE-2222", Transient, "An address cannot be reached", "check it, and the network";
    ToolTooSlow = "RE-2223", Transient, "An address did not answer in time", "try again, or ask for less";
    ToolAnswer = "RE-2224", Validation, "An address answered that there is nothing to fetch", "see its message";
    ToolAnswerLater = "RE-2225", Transient, "An address answered that it cannot answer now", "try again later";
    ToolRedirects = "RE-2226", Validation, "An address redirects too often, or nowhere", "ask for the address that is meant";

    // 23: cassettes and tests of workflows
    NotInCassette = "RE-2301", Validation, "A cassette has no answer to what is asked", "see how it differs from what was recorded; if it is meant, record it again";
    NoCassette = "RE-2302", Validation, "There is no such cassette", "check the path, or record it first";
    BadCassette = "RE-2303", Validation, "A file is no cassette, or one that is damaged or cut short", "record it again, or take it back from where it is kept";
    CassetteVersion = "RE-2304", Validation, "A cassette is of a version that this one does not read", "record it again, or use the version that wrote it";
    NotRecorded = "RE-2305", Fatal, "What was answered cannot be kept in a cassette", "see its message; let one run at a time record into a cassette, and make room for it";
    NotForCassette = "RE-2306", Validation, "A cassette cannot hold what an agent does", "leave the agent out, or let a script answer for it";

    // 30: what a step dies of
    ExitTransient = "RE-3001", Transient, "A program ended with a status that means: try again", "see what it wrote to stderr";
    ExitValidation = "RE-3002", Validation, "A program ended with a status that means: bad input", "see what it wrote to stderr";
    ExitDependency = "RE-3003", Dependency, "A program ended with a status that means: something is missing", "see what it wrote to stderr";
    ExitFatal = "RE-3004", Fatal, "A program ended with a status that means: stop everything", "see what it wrote to stderr";
    ExitUnknown = "RE-3005", Unknown, "A program ended with an error", "see what it wrote to stderr";
    NotStarted = "RE-3006", Fatal, "A program could not be started", "check that it is there and may be executed";
    TimedOut = "RE-3007", Transient, "An attempt took longer than its timeout", "raise `timeout`, or make the work smaller";
    Cancelled = "RE-3008", Unknown, "An attempt was cancelled", "another step failed; see its error";
    LostTooOften = "RE-3009", Unknown, "The process that ran the step died too often", "look for what kills it; `limits.lost` is the bound";
    OutputTooLarge = "RE-3010", Validation, "A program wrote more than the bound", "write big results to a file and name it";
    Panicked = "RE-3011", Fatal, "A function panicked", "this is a bug in the function";
    FunctionFailed = "RE-3012", Unknown, "A function failed", "see its message";
    DependencyFailed = "RE-3013", Dependency, "A step that it needs did not complete", "see that step's error";
    LeftoverLives = "RE-3014", Transient, "What an earlier attempt left running does not end",
        "end that process group by hand; the step is not started beside it";
    FunctionInput = "RE-3015", Validation, "A function was given what it does not take", "see what the step gives it in `with`";
    DurationExceeded = "RE-3016", Fatal, "The run took longer than its limit", RaiseDuration;
    AttemptLostOnce = "RE-3017", Unknown, "The process died that ran a step which may be started once only",
        "find out what the step did, then roll back or go on by hand";

    ApprovalRefused = "RE-3018", Validation, "An approval was refused", "see what who refused it says";
    ApprovalExpired = "RE-3019", Validation, "Nobody answered a request for an approval in time",
        "`expires` says how long there is to answer";
    SignalMissed = "RE-3020", Transient, "A signal did not come in time", "`timeout` says how long the step waits";
    RoundsUsedUp = "RE-3021", Unknown, "A loop's `until` was not true after its last round", "raise `repeat.max`, or see what each round answered";
    BadPlan = "RE-3022", Validation, "A step's `add_steps` cannot join the run", "see its message", (Read(Document::Workflows));
    PlanTooLarge = "RE-3023", Validation, "A plan adds more steps than the configuration lets a run grow by",
        "see `[growth]` in the configuration";
    OutputSchema = "RE-3024", Validation, "A step's output is not what its `schema` says", "see its transcript";
    ChildFailed = "RE-3025", Unknown, "A child run did not complete", "see what became of the child", (LookAtRun(Look::Why));
    ChildStuck = "RE-3026", Fatal, "A child run is stuck", "settle the child", (LookAtRun(Look::Commands)), "then go on with its parent";
    NoAnswer = "RE-3027", Validation, "A script has no answer that fits", "add one to the agent's `script`";
    ScriptedFailure = "RE-3028", Unknown, "An agent's script says that the attempt fails", "see its message";
    BadAnswer = "RE-3030", Validation, "A program answered JSON that cannot be taken: a key stands twice, or it is nested too deep",
        "write each key once; put what is nested deeper than 100 levels into a text or a file";
    ArgumentTooLong = "RE-3031", Validation, "A program is given an argument or a variable that is longer than the system takes",
        "hand it over on stdin: in the `with` of a step with an `agent`, or in a file that the program reads";
    OutOfMemory = "RE-3032", Fatal, "A program was killed because the memory ran out that the system lets it have",
        "give it more memory, or less to do at once";
    ArtifactMissing = "RE-3033", Validation, "A program says that it made a file which is not there",
        "name it as it is seen from the folder in which the program runs, and write it before it is named";
    MasksTooMuch = "RE-3037", Validation, "A program has more masked than it may",
        "name values once, and only those that are secrets";
    AgentStuck = "RE-3038", Fatal, "An agent is stuck: the same answer again and again, the same two agents handing over back and forth, or no end in time",
        "see what was seen, and `[stuck]` in the configuration";
    TaskFailed = "RE-3039", Unknown, "Whoever had taken a task said that it cannot be done", "see its message";
    BadTasks = "RE-3050", Validation, "A plan of tasks cannot be done", "see its message, which says everything that is wrong with it", (Read(Document::Goals));
    TaskBlocked = "RE-3051", Validation, "An agent says what keeps it from going on with its task", "see what it says, and what the agent that planned said";
    SpendExceeded = "RE-3060", Fatal, "The run may spend no more: the next attempt would go over its limit, and `on_limit` is `fail`",
        RaiseBudget, "then try again what failed";
    BadUsage = "RE-3061", Validation, "What a program reports that it used up is nonsense",
        "write whole numbers of calls and tokens, and an amount in US dollars, none of them negative", (Read(Document::Budgets));
    AnswerSaysFailed = "RE-3040", Unknown, "An agent answered that it failed", "see what it says in its answer: `status` is `failed` there, or a line of it says so";
    TooManyItems = "RE-3029", Validation, "A `for_each` has more items than the configuration lets a run grow by",
        "give it a shorter list, or see `growth.items` in the configuration";

    // 40: the store
    StoreDamaged = "RE-4001", Fatal, "The store is damaged", Verify;
    StoreHeld = "RE-4002", Transient, "Another process holds the store and does not answer", "wait for it, or end it";
    StoreFailed = "RE-4003", Fatal, "The disk refused a write or a sync", "make room or mend the disk; what was acknowledged is safe";
    StoreUnreadable = "RE-4004", Fatal, "The store cannot be opened or read", "check the folder and its permissions";
    Conflict = "RE-4005", Transient, "Two owners wrote to one stream", "try again";
    CommitRefused = "RE-4006", Fatal, "Something that the store can never hold", "make it smaller: big content belongs into a file", (Read(Document::Limits));
    StoreFormat = "RE-4007", Fatal, "The store was written by a version that this one does not understand", "use the version that wrote it, or a newer one";
    StoreNotPlain = "RE-4011", Fatal, "Something in the data folder is a link, or is no plain file", OwnFolder, "nothing was opened through it";
    NoRoomToLook = "RE-4012", Transient, "A store that cannot be written is looked at through a copy, and there is no room for one",
        "make room in the folder for temporary files, or name another by TMPDIR";
    StoreGone = "RE-4013", Fatal, "The data folder was removed, or another took its place, while a process held it", "what it had recorded is gone with it";
    NotYours = "RE-4014", Fatal, "The data folder, or the process that holds it, is somebody else's", "its owner can do it", OwnFolder;

    StoreTaken = "RE-4015", Transient, "Another engine or command holds the store", "end it, or work through it with `Engine::connect`";
    StoreNotHeld = "RE-4016", Transient, "Nobody holds the store", "open it with `Engine::open`";

    // 50: the configuration
    BadConfig = "RE-5001", Validation, "The configuration is wrong", (Read(Document::Configuration));
    Untrusted = "RE-5002", Validation, "The folder's own configuration names programs, and nobody said that they may be run",
        "look at the file", (Trust(None));
    TrustNotKept = "RE-5003", Validation, "What may be run cannot be written down", "check the folder of your configuration and its permissions";

    // 90: us
    Internal = "RE-9001", Fatal, "A bug in Reenact", "please report it, with the run's history";
    Impossible = "RE-9002", Fatal, "A history and what follows from it contradict each other: a bug in Reenact, or damage",
        Verify, "please report it, with the run's history";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl Code {
    /// Whether a program ended in a way of its own: what it wrote says more.
    pub const fn is_of_a_program(self) -> bool {
        matches!(
            self,
            Self::ExitTransient
                | Self::ExitValidation
                | Self::ExitDependency
                | Self::ExitFatal
                | Self::ExitUnknown
        )
    }

    /// The code with that text. A text from a newer version that is not in this table is [`Code::Internal`].
    pub fn from_text(text: &str) -> Self {
        Self::ALL.iter().copied().find(|code| code.text() == text).unwrap_or(Self::Internal)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_text(&String::deserialize(deserializer)?))
    }
}
