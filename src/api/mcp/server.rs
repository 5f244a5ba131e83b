//! What clients ask by the protocol. It is answered at the desk, on the thread on which the store is held; whoever asks may go
//! away before that.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::answer::{Answer, Failed};
use super::job::{Job, Wants};
use super::{resources, tools};
use crate::api::user::user;
use crate::api::wording::Call;
use crate::events::problem::{Code, Problem};
use crate::events::text::{printable, shortened};

/// How many requests of a client are answered at once. Most wait for something: a run, or a task.
pub(super) const REQUESTS_MAX: usize = 64;

/// How much of what a client calls itself is recorded.
const CLIENT_CHARS_MAX: usize = 64;

/// What an assistant is told before anything else.
const INSTRUCTIONS: &str = "Reenact runs workflows of agents durably. Start a run with run_start and watch it with run_wait. \
    If it waits, `waiting_for` says for what: a task is taken with task_next, done by you, and answered with task_complete; an \
    approval is a person's to give: show them what `approvals` says, and answer it as they tell you. What went wrong tell why, \
    history and replay_at. Runs that you started go on by themselves when you answered; resume lets others go on.";

/// The server, as the protocol sees it.
pub(super) struct Server {
    jobs: mpsc::Sender<Job>,
    places: Semaphore,
    /// How commands are called that are named.
    call: Call,
}

impl Server {
    pub(super) fn new(jobs: mpsc::Sender<Job>, call: Call) -> Self {
        Self { jobs, places: Semaphore::new(REQUESTS_MAX), call }
    }

    /// Has it answered at the desk.
    async fn ask(
        &self,
        wants: Wants,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<Answer, Failed>, ErrorData> {
        let Ok(_place) = self.places.try_acquire() else {
            let message =
                format!("{REQUESTS_MAX} requests are being answered, which is as many as may be at once");
            return Ok(Err(Problem::new(Code::Busy, message).into()));
        };
        let (reply, answer) = oneshot::channel();
        let ending = || ErrorData::internal_error("the server is ending", None);
        self.jobs.send(Job { wants, by: by(context), reply }).await.map_err(|_| ending())?;
        tokio::select! {
            answer = answer => answer.map_err(|_| ending()),
            () = context.ct.cancelled() => Err(ErrorData::internal_error("it was cancelled", None)),
        }
    }
}

/// The name in which a client asks, where it names none: its own, and whose it is. So nobody's approval is taken for that of the
/// user who started it.
fn by(context: &RequestContext<RoleServer>) -> String {
    let client = context.client_info().map(|client| client.name).unwrap_or_default();
    let client = printable(client.trim()).into_owned();
    let client = if client.is_empty() { "an MCP client" } else { &client };
    format!("{} for {}", shortened(client, CLIENT_CHARS_MAX), user())
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("reenact", env!("CARGO_PKG_VERSION")).with_title("Reenact"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let asked =
            tools::read(&request.name, arguments).map_err(|why| ErrorData::invalid_params(why, None))?;
        let result = match self.ask(Wants::Tool(Box::new(asked)), &context).await? {
            Ok(answer) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text)]);
                result.structured_content = Some(answer.value);
                result
            }
            Err(failed) => {
                let mut result = CallToolResult::error(vec![ContentBlock::text(failed.text(&self.call))]);
                result.structured_content = Some(failed.value(&self.call));
                result
            }
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        match self.ask(Wants::Resource(resources::Name::Runs), &context).await? {
            Ok(answer) => Ok(ListResourcesResult::with_all_items(resources::listed(&answer.value))),
            Err(failed) => Err(unread(&failed, &self.call)),
        }
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some(name) = resources::Name::parse(&request.uri) else {
            let message = format!("there is no resource `{}`", printable(&request.uri));
            return Err(ErrorData::resource_not_found(message, None));
        };
        match self.ask(Wants::Resource(name), &context).await? {
            Ok(answer) => {
                let contents = ResourceContents::text(answer.text, request.uri);
                let contents = contents.with_mime_type(resources::MIME_TYPE);
                Ok(ReadResourceResult::new(vec![contents]).into())
            }
            Err(failed) => Err(unread(&failed, &self.call)),
        }
    }
}

/// Why a resource cannot be read.
fn unread(failed: &Failed, call: &Call) -> ErrorData {
    let (text, value) = (failed.text(call), Some(failed.value(call)));
    if failed.is_unknown() {
        ErrorData::resource_not_found(text, value)
    } else {
        ErrorData::internal_error(text, value)
    }
}
