/** Python that every exported reward function begins with: cutting the chain of thought off, and asking the judge service. */
import { plainPair, tagLike } from '../lm/split-cot.js';
import { lowestReward } from '../align/reward.js';

/** Any text as a Python literal. */
export const py = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * `answer_of(text)` and `judge(items)`. The chain of thought ends here, in the trainer's own process: what goes over the wire is
 * conversation, answer and category (paper, section 2.4). Only the standard library is used.
 */
export const judgeClient = (judgeUrl: string): string => `import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

# Where deliberate serve --judge is; its key, where it wants one, comes from the environment alone.
JUDGE_URL = os.environ.get("DELIBERATE_JUDGE_URL", ${py(judgeUrl)}).rstrip("/")
TIMEOUT_S = 600
TRIES = 6
BATCH = 256
# For a completion that is not one chain of thought and an answer. The judge is not asked.
LOWEST = ${lowestReward.toFixed(1)}

# Everything that looks like a think tag, and the pairs that are one beyond doubt.
_TAG = re.compile(${py(tagLike.source)}, re.IGNORECASE)
_PAIRS = {${plainPair.map(([open, close]) => `(${py(open)}, ${py(close)})`).join(', ')}}
_SPACE = "\\t\\n\\x0b\\x0c\\r \\u00a0\\u1680\\u2000\\u2001\\u2002\\u2003\\u2004\\u2005\\u2006\\u2007\\u2008\\u2009\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"


def answer_of(text):
    """The answer after one plain pair of think tags; None for anything else, so that nothing of a chain of thought gets through."""
    tags = list(_TAG.finditer(text))
    if len(tags) != 2 or (tags[0].group(), tags[1].group()) not in _PAIRS or text[: tags[0].start()].strip(_SPACE):
        return None
    cot = text[tags[0].end() : tags[1].start()].strip(_SPACE)
    answer = text[tags[1].end() :].strip(_SPACE)
    return answer if cot and answer else None


def _opener():
    host = urllib.parse.urlsplit(JUDGE_URL).hostname
    # A proxy does not know this machine's loopback.
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if host in ("127.0.0.1", "localhost", "::1") else []))


def judge(items):
    """Scores from 0 to 1 for {messages, answer, category}; None where the judge gave no verdict.

    Raises when the service stays unreachable: an outage must stop the training, not become a reward.
    """
    return [score for start in range(0, len(items), BATCH) for score in _judge_batch(items[start : start + BATCH])]


def _judge_batch(items):
    headers = {"content-type": "application/json"}
    if os.environ.get("DELIBERATE_API_KEY"):
        headers["authorization"] = "Bearer " + os.environ["DELIBERATE_API_KEY"]
    request = urllib.request.Request(JUDGE_URL + "/v1/judge/batch", json.dumps({"items": items}).encode(), headers)
    problem = None
    for attempt in range(TRIES):
        if attempt:
            time.sleep(min(60, 2 ** (attempt - 1)))
        try:
            with _opener().open(request, timeout=TIMEOUT_S) as reply:
                scores = [result["score"] for result in json.load(reply)["results"]]
            if len(scores) == len(items):
                return scores
            problem = f"{len(scores)} scores for {len(items)} items"
        except urllib.error.HTTPError as error:
            if error.code not in (408, 425, 429) and error.code < 500:
                raise RuntimeError(f"the judge at {JUDGE_URL} refused the request: {error.code} {error.read(500)!r}") from error
            problem = f"HTTP {error.code}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = repr(error)
    raise RuntimeError(f"the judge at {JUDGE_URL} gave no scores in {TRIES} tries ({problem}); is 'deliberate serve --judge' running?")
`;

/** For trainers that cannot leave a completion out. */
export const unscoredNote = `
# This trainer needs a number for every completion. A verdict that is missing becomes the middle of the scale, neither good nor
# bad, and is counted in the log as "unscored".
UNSCORED = 0.5
`;
