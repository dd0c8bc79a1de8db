/** How a scripted server behaves: latency by token, slots, limits and failures, in real or in scaled time. All of it goes through JSON. */
import { Random } from '../src/base/random.js';
import type { Message } from '../src/base/records.js';
import type { Asked, Fault, ScriptedServerOptions, Told } from '../src/engines/openai/scripted-server.js';
import { scriptedReply } from '../src/engines/scripted-mind.js';

/** Median of a log-normal distribution, and the standard deviation of its logarithm. */
export interface LogNormal {
  median: number;
  sigma: number;
}

export interface Behaviour {
  seed: number;
  /** Time runs this many times as fast as in the other fields. */
  speed: number;
  /** Milliseconds until the first token. */
  firstToken: LogNormal;
  /** Milliseconds a token; a request has one pace. */
  token: LogNormal;
  /** Requests that it computes at once at full pace; more share what there is. */
  slots: number;
  /** More a second are answered 429 with Retry-After: 1 s. */
  requestsPerSecond?: number;
  /** Seconds after the first request in which it answers 503: it loads its model. */
  loading: number;
  /** Shares of the requests that end so. */
  faults: { error: number; hangUp: number; silence: number };
  /** echo: 500 characters that begin with the request. reasoning: as a model that reads the specification, and as a judge. */
  writes: 'echo' | 'reasoning';
}

export const echoed = (text: string): string => `Answer to ${text}`.padEnd(500, '. So it goes on');

/** What the server has done, in its own time. */
export interface Work {
  /** Requests that it took on, and ms that it computed for them. */
  taken: number;
  milliseconds: number;
}

export function scripted(
  behaviour: Behaviour,
  now: () => number = () => performance.now(),
): { options: ScriptedServerOptions; work: Work } {
  const { seed, speed, firstToken, token, slots, requestsPerSecond, loading, faults, writes } = behaviour;
  const faultOf = new WeakMap<Asked, Fault>();
  const work: Work = { taken: 0, milliseconds: 0 };
  let calls = 0;
  let begun: number | null = null;
  let allowance = requestsPerSecond ?? 0;
  let last = 0;

  /** A bucket that holds one second's requests. */
  const limited = (at: number): boolean => {
    if (requestsPerSecond === undefined) return false;
    allowance = Math.min(requestsPerSecond, allowance + (requestsPerSecond * (at - last) * speed) / 1000);
    last = at;
    if (allowance < 1) return true;
    allowance--;
    return false;
  };
  const status = (code: number, wait?: number): Fault => ({
    kind: 'status',
    status: code,
    ...(wait !== undefined && { headers: { 'retry-after-ms': String(wait / speed) } }),
  });
  const planned = (at: number, random: Random): Fault | null => {
    begun ??= at;
    if ((at - begun) * speed < loading * 1000) return status(503);
    if (limited(at)) return status(429, 1000);
    const draw = random.uniform();
    if (draw < faults.error) return status(500);
    if (draw < faults.error + faults.hangUp) return { kind: 'drop' };
    if (draw < faults.error + faults.hangUp + faults.silence) return { kind: 'hang' };
    return null;
  };

  const write = (asked: Asked, sample: number): string => {
    const last = asked.messages.at(-1)?.content ?? '';
    if (writes === 'echo') return echoed(last);
    return asked.messages.length === 1 && last.includes('"grade"') ? verdict(asked) : reply(asked, sample);
  };
  // Written once, though it takes time by its length first and is sent then.
  const written = new WeakMap<Asked, string[]>();
  const tell = (asked: Asked, sample: number): Told => {
    const before = written.get(asked) ?? [];
    written.set(asked, before);
    return { content: (before[sample] ??= write(asked, sample)) };
  };
  const options: ScriptedServerOptions = {
    keep: 0,
    // A bare client does not repeat a request that meets a connection just closed.
    keepAlive: 600_000,
    tell,
    tokens: ({ content }) => tokensOf(content),
    fault: (_call, asked) => faultOf.get(asked) ?? null,
    latency: (inFlight, asked) => {
      const random = new Random(`latency ${seed} ${++calls}`);
      const fault = planned(now(), random);
      if (fault !== null) faultOf.set(asked, fault);
      // Refused at the door.
      if (fault?.kind === 'status' && fault.status !== 500) return 0;
      const longest =
        token.median === 0 ? 0 : Math.max(...Array.from({ length: asked.n ?? 1 }, (_, i) => tokensOf(tell(asked, i).content)));
      const milliseconds = draw(firstToken, random) + longest * draw(token, random);
      work.taken++;
      work.milliseconds += milliseconds;
      return (milliseconds * Math.max(1, inFlight / slots)) / speed;
    },
  };
  return { options, work };
}

const draw = ({ median, sigma }: LogNormal, random: Random): number => (median === 0 ? 0 : median * Math.exp(sigma * random.normal()));
const tokensOf = (content: string): number => Math.ceil(content.length / 4);

/** By seed and text alone, so that a repeated request gets the same. */
const reply = ({ messages, seed = 0 }: Asked, sample: number): string =>
  scriptedReply(messages as Message[], [], new Random(`${messages.at(-1)?.content ?? ''} ${seed + sample}`));

const verdict = ({ messages, seed = 0 }: Asked): string => {
  const random = new Random(`${messages[0]?.content.length} ${seed}`);
  // Now and then a verdict that cannot be read, as judges give them.
  return random.uniform() < 0.02
    ? 'I would rather not say.'
    : JSON.stringify({
        rationale: 'Read by a script, in about the words that a judge takes for it.',
        agrees_with_hint: true,
        grade: 1 + random.integer(5),
      });
};
