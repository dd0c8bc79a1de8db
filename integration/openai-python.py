"""What docs/SERVING.md promises, as the openai client for Python sees it. Begun by openai-python.sh.

Two servers: the scripted engine, which writes chains of thought, and `deliberate serve` over a tiny random model, with a real end.
"""
import asyncio
import re
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import openai
from openai import AsyncOpenAI, OpenAI

from export_fixture import ROOT, make_run

SCRIPTED = f"""
import {{ createScriptedWorkbench }} from '{ROOT.as_uri()}/dist/src/engines/scripted.js';
import {{ served, start }} from '{ROOT.as_uri()}/dist/src/serve/hand-model.js';
const {{ address }} = await start([served(await createScriptedWorkbench().base())]);
console.log(address);
"""
CLI = [str(ROOT / "dist" / "src" / "cli" / "main.js"), "serve"]
WORDS = [{"role": "user", "content": "How are you?"}]


def holds(what: str, condition: bool) -> None:
    if not condition:
        raise SystemExit(f"FAILS: {what}")
    print(f"holds: {what}")


@contextmanager
def server(*command: str):
    """-> (address, process); node is ended with the block."""
    process = subprocess.Popen(["node", *command], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            found = re.search(r"http://\S+", line)
            if found:
                yield found[0], process
                return
        raise SystemExit(f"the server ended with {process.wait()}")
    finally:
        process.kill()
        process.wait()


def joined(stream):
    """-> contents and reasonings by choice, finish reasons, usage"""
    contents, reasonings, finished, usage = {}, {}, {}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            contents[choice.index] = contents.get(choice.index, "") + (choice.delta.content or "")
            reasonings[choice.index] = reasonings.get(choice.index, "") + (getattr(choice.delta, "reasoning_content", None) or "")
            if choice.finish_reason:
                finished[choice.index] = choice.finish_reason
    return contents, reasonings, finished, usage


def scripted(address: str) -> None:
    client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    models = [model.id for model in client.models.list()]
    holds("models are listed and found by name", models == ["sft+rl"] and client.models.retrieve("sft+rl").id == "sft+rl")

    raw = client.chat.completions.with_raw_response.create(model="sft+rl", messages=WORDS)
    whole = raw.parse()
    message = whole.choices[0].message
    digest = whole.model_extra["spec_digest"]
    holds("the answer comes without its reasoning", bool(message.content) and "<think>" not in message.content)
    holds("reasoning_content has the chain of thought", "Decision:" in message.reasoning_content)
    holds("usage adds up", whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0)
    holds("header and body name the specification", raw.headers["x-deliberate-spec"] == digest and len(digest) == 16)

    ask = dict(model="sft+rl", messages=WORDS, n=3, seed=5, temperature=1)
    whole = client.chat.completions.create(**ask)
    again = client.chat.completions.create(**ask)
    texts = [choice.message.content for choice in whole.choices]
    holds("n = 3 gives three, and the same seed gives the same", len(texts) == 3 and texts == [c.message.content for c in again.choices])
    contents, reasonings, finished, usage = joined(
        client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    )
    holds("a stream joined is the whole answer", [contents[i] for i in range(3)] == texts)
    holds("so is its reasoning", [reasonings[i] for i in range(3)] == [c.message.reasoning_content for c in whole.choices])
    holds("a stream says why it ended, and its usage", len(finished) == 3 and usage == whole.usage)

    cut = client.chat.completions.create(model="sft+rl", messages=WORDS, max_completion_tokens=5)
    holds("max_completion_tokens cuts off and says so", cut.choices[0].finish_reason == "length" and cut.usage.completion_tokens == 5)
    word = message.content.split()[1]
    ask = dict(model="sft+rl", messages=WORDS, stop=[word])
    stopped = client.chat.completions.create(**ask).choices[0]
    before = message.content.split(word)[0].rstrip()
    holds("stop ends the answer before the text", stopped.message.content == before != "" and stopped.finish_reason == "stop")
    contents, _, finished, _ = joined(client.chat.completions.create(**ask, stream=True))
    holds("in a stream too", contents == {0: before} and finished == {0: "stop"})

    for what, error, change in [
        ("another model is NotFoundError", openai.NotFoundError, dict(model="gpt")),
        ("n = 0 is BadRequestError", openai.BadRequestError, dict(n=0)),
        ("a tool cannot be demanded", openai.BadRequestError, dict(tools=[dict(type="function", function=dict(name="f"))], tool_choice="required")),
    ]:
        try:
            client.chat.completions.create(**{"model": "sft+rl", "messages": WORDS, **change})
            holds(what, False)
        except error as thrown:
            holds(f"{what}: {thrown.body['message']}", thrown.body["param"] in change)


async def many(address: str, model: str) -> None:
    async with AsyncOpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(model=model, messages=WORDS, seed=seed, max_tokens=40) for seed in range(20))
        )
    holds("20 at once are all answered", len(answers) == 20 and all(answer.usage.completion_tokens > 0 for answer in answers))


def ended(address: str, process: subprocess.Popen, model: str) -> None:
    client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    stream = client.chat.completions.create(model=model, messages=WORDS, n=8, seed=1, temperature=2, stream=True)
    finished = 0
    for count, chunk in enumerate(stream):
        if count == 3:
            process.send_signal(signal.SIGTERM)
        finished += sum(bool(choice.finish_reason) for choice in chunk.choices)
    holds("SIGTERM: what is being written is written to its end, exit code 0", finished == 8 and process.wait(30) == 0)


def main() -> None:
    print(f"openai {openai.__version__}")
    with server("--input-type=module", "-e", SCRIPTED) as (address, _):
        scripted(address)
    with tempfile.TemporaryDirectory() as work:
        _, run = make_run(Path(work), "llama-tied")
        with server(*CLI, str(run), "--arm", "sft", "--port", "0", "--max-tokens", "400", "--temperature", "2") as (address, process):
            asyncio.run(many(address, "sft"))
            ended(address, process, "sft")


if __name__ == "__main__":
    main()
