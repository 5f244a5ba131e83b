"""Asks a provider with the clients that the providers publish, and holds what they make of its answers to what was said."""
import json
import sys

import anthropic
import openai

openai_url, anthropic_url, key = sys.argv[1:4]
sent, cached, came = map(int, sys.argv[4:7])
TEXT, CITY = "Hello, wörld!", {"city": "Paris", "days": 3}
SHAPE = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}


def is_(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, not {wanted!r}"


def completions():
    client = openai.OpenAI(base_url=openai_url, api_key=key, max_retries=0)
    messages = [{"role": "system", "content": "You greet."}, {"role": "user", "content": "Hello"}]
    tools = [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SHAPE}}]
    ask = lambda **more: client.chat.completions.create(model="small-1", messages=messages, **more)
    whole = ask()
    is_("text", whole.choices[0].message.content, TEXT)
    is_("stop", whole.choices[0].finish_reason, "stop")
    is_("usage", (whole.usage.prompt_tokens, whole.usage.completion_tokens), (sent, came))
    is_("cached", whole.usage.prompt_tokens_details.cached_tokens, cached)
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    is_("text", "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), TEXT)
    is_("usage", [c.usage.total_tokens for c in chunks if c.usage], [sent + came])
    call = ask(tools=tools).choices[0].message.tool_calls[0]
    is_("tool", (call.function.name, json.loads(call.function.arguments)), ("weather", CITY))
    chunks = [c.choices[0] for c in ask(tools=tools, stream=True) if c.choices]
    parts = [part.function for c in chunks for part in c.delta.tool_calls or []]
    given = "".join(part.arguments for part in parts)
    is_("tool", ([part.name for part in parts if part.name], json.loads(given)), (["weather"], CITY))
    is_("stop", [c.finish_reason for c in chunks if c.finish_reason], ["tool_calls"])
    is_("cut", ask().choices[0].finish_reason, "length")
    try:
        ask()
        raise AssertionError("a busy provider answers")
    except openai.RateLimitError as busy:
        is_("wait", busy.response.headers["retry-after"], "7")
    try:
        ask()
        raise AssertionError("what is wrong is answered")
    except openai.BadRequestError as wrong:
        assert "no such thing" in str(wrong), wrong


def messages():
    client = anthropic.Anthropic(base_url=anthropic_url, api_key=key, max_retries=0)
    tools = [{"name": "weather", "description": "d", "input_schema": SHAPE}]
    asked = dict(model="small-1", max_tokens=99, system="You greet.", messages=[{"role": "user", "content": "Hello"}])
    whole = client.messages.create(**asked)
    is_("text", whole.content[0].text, TEXT)
    is_("stop", whole.stop_reason, "end_turn")
    usage = whole.usage
    is_("usage", (usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens), (sent, came))
    with client.messages.stream(**asked) as stream:
        is_("text", "".join(stream.text_stream), TEXT)
        final = stream.get_final_message()
    usage = final.usage
    is_("usage", (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (sent - cached, cached, came))
    call = client.messages.create(tools=tools, **asked).content[0]
    is_("tool", (call.type, call.name, call.input), ("tool_use", "weather", CITY))
    with client.messages.stream(tools=tools, **asked) as stream:
        final = stream.get_final_message()
    is_("tool", (final.content[0].name, final.content[0].input), ("weather", CITY))
    is_("stop", final.stop_reason, "tool_use")
    is_("cut", client.messages.create(**asked).stop_reason, "max_tokens")
    try:
        client.messages.create(**asked)
        raise AssertionError("a busy provider answers")
    except anthropic.RateLimitError as busy:
        is_("wait", busy.response.headers["retry-after"], "7")
    try:
        client.messages.create(**asked)
        raise AssertionError("what is wrong is answered")
    except anthropic.BadRequestError as wrong:
        assert "no such thing" in str(wrong), wrong


completions()
messages()
print("both clients understand it")
