/** A run whose models are on servers that need a key, and that repeat the key in what they say: no file and no line on the screen may hold it. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseConfig } from '../src/base/config.js';
import { packageRoot } from '../src/base/package-root.js';
import type { Progress } from '../src/base/progress.js';
import { Random } from '../src/base/random.js';
import type { Message } from '../src/base/records.js';
import type { StageName } from '../src/base/run-folder.js';
import { loadSpec } from '../src/align/spec/parse.js';
import { runStages } from '../src/cli/run.js';
import { recordServerUsage } from '../src/cli/server-usage.js';
import { scriptedReply } from '../src/engines/scripted-mind.js';
import { createScriptedWorkbench } from '../src/engines/scripted.js';
import { startScriptedServer, type Asked, type Fault } from '../src/engines/openai/scripted-server.js';
import { namedServers } from '../src/engines/openai/servers.js';
import { loadPrompts } from '../src/prompts/load.js';
import type { FaultOptions, Figures } from './section.js';

const variable = 'DELIBERATE_FAULTS_KEY';

/** The ways in which a key may be written down. */
function writings(key: string): Record<string, string> {
  const bytes = Buffer.from(key);
  return {
    'as it is': key,
    'in base64': bytes.toString('base64').replace(/=+$/, ''),
    'in base64 with its scheme': Buffer.from(`Bearer ${key}`).toString('base64').slice(8, -4),
    'in hexadecimal': bytes.toString('hex'),
    'in a query': encodeURIComponent(key),
    'its second half': key.slice(key.length >> 1),
  };
}

/** Texts that hold a key in each of these ways, as other programs would write it: to see that the search finds it. */
const planted = (key: string): Record<keyof ReturnType<typeof writings>, string> => ({
  'as it is': `{"apiKey": "${key}"}`,
  'in base64': `key=${btoa(key)}`,
  'in base64 with its scheme': `authorization: ${btoa(`Bearer ${key}`)}`,
  'in hexadecimal': `0x${[...key].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, '0')).join('')}`,
  'in a query': new URL(`http://server/?key=${encodeURIComponent(key)}`).href,
  'its second half': `…${key.slice(-Math.ceil(key.length / 2))}`,
});

/** Where a text holds the key. */
const placesOf = (places: readonly (readonly [string, string])[], key: string): string[] =>
  places.flatMap(([place, text]) =>
    Object.entries(writings(key)).flatMap(([how, written]) => (text.includes(written) ? [`the key stands in ${place}, ${how}`] : [])),
  );

const settings = {
  prompts: { train: 12, ordinary: 3, validation: 3 },
  generate: { samples: 2, maxTokens: 400 },
  filter: { threshold: 0.5 },
  sft: { epochs: 1 },
  rl: { steps: 1, promptsPerStep: 2, samplesPerPrompt: 3, maxTokens: 400, validateEvery: 1 },
  eval: { plain: 1, jailbroken: 1, techniques: 1, maxTokens: 400, arms: ['base', 'sft+rl'] },
};

export async function secrets({ home, say }: FaultOptions): Promise<Figures> {
  const key = `sk/${randomBytes(18).toString('hex')}+z`;
  process.env[variable] = key;
  const failures: string[] = [];
  try {
    const told: string[] = [];
    // Failures of a server quote what they were sent.
    const echo = (status: number): Fault => ({
      kind: 'status',
      status,
      body: {
        error: { message: `key ${key} is not accepted; headers: authorization: Bearer ${key}`, url: `/?key=${encodeURIComponent(key)}` },
      },
      headers: { 'x-echo': key },
    });
    const patient = await run(path.join(home, 'secrets', 'patient'), told, (call) => (call % 6 === 2 ? echo(500) : null));
    if (patient.error !== null) failures.push(`the run on servers that fail now and then does not come to its end: ${patient.error}`);
    const refused = await run(path.join(home, 'secrets', 'refused'), told, () => echo(401));
    if (refused.error === null) failures.push('servers that refuse the key are not noticed');
    const gateway = await run(path.join(home, 'secrets', 'gateway'), told, () => ({
      kind: 'status',
      status: 200,
      body: { error: { code: 403, message: `bad key ${key}` } },
    }));
    if (gateway.error === null) failures.push('an error inside a 200 is not noticed');
    // Else the search below would find nothing because nothing was told.
    if (!told.some((text) => text.includes('is not accepted')))
      failures.push('what the servers said of the key came nowhere: the search shows nothing');
    for (const [how, sent] of Object.entries(planted(key)))
      if (!placesOf([['a planted text', sent]], key).some((found) => found.endsWith(`, ${how}`)))
        failures.push(`the search does not find a key ${how}`);
    if (patient.keys === 0) failures.push('the server was never shown the key');
    const files = await filesIn(path.join(home, 'secrets'));
    const places = [...files, ...told.map((text, i) => [`line ${i + 1} on the screen`, text] as const)];
    failures.push(...placesOf(places, key));
    say(`${files.length} files, ${told.length} lines`);
    return {
      lines: [
        `Three runs with generator and judge on servers that repeat the key in their errors (500 now and then, 401, an error inside a 200): ${patient.keys} requests carried the key; ${files.length} files and ${told.length} lines on the screen and in errors were searched for it in ${Object.keys(writings(key)).length} writings: ${failures.length === 0 ? 'found nowhere' : 'FOUND'}.`,
      ],
      failures,
    };
  } finally {
    delete process.env[variable];
  }
}

async function run(root: string, told: string[], fault: (call: number) => Fault | null): Promise<{ error: string | null; keys: number }> {
  const writes = ({ messages, seed = 0 }: Asked, sample: number) => ({
    content: scriptedReply(messages as Message[], [], new Random(`${messages[0]?.content.length} ${seed + sample}`)),
  });
  const generator = await startScriptedServer({ tell: writes, fault });
  const grader = await startScriptedServer({
    kind: 'openai',
    tell: () => ({ content: '{"rationale": "fine", "agrees_with_hint": true, "grade": 4}' }),
    fault,
  });
  const common = { engine: 'openai', apiKeyEnv: variable, patienceSeconds: 20 };
  const config = parseConfig(
    {
      ...settings,
      generator: { ...common, baseUrl: generator.url, model: 'writer' },
      judge: { ...common, baseUrl: grader.url, model: 'grader' },
    },
    'faults',
  );
  const say = (line: string) => void told.push(line);
  const progress: Progress = { say, task: (title) => ({ advance: () => undefined, done: (note) => say(`${title} ${note ?? ''}`) }) };
  const servers = namedServers({ sections: config, cacheFolder: path.join(root, 'cache'), say });
  let error: string | null = null;
  try {
    const bench = { ...createScriptedWorkbench(), layout: 'paper' as const, servers: servers.byRole, usage: () => servers.usage() };
    const spec = await loadSpec(path.join(packageRoot, 'spec'));
    const prompts = await loadPrompts(path.join(packageRoot, 'data', 'prompts.jsonl'));
    const stages: StageName[] = ['generate', 'judge', 'filter', 'sft', 'rl', 'eval', 'report'];
    await runStages({ root, config, spec, prompts, bench, progress, codeVersion: 'faults', stages });
    await recordServerUsage(root, servers.usage());
  } catch (thrown) {
    error = (thrown as Error).message;
    for (let cause: unknown = thrown; cause instanceof Error; cause = cause.cause)
      say(`${cause.message}\n${cause.stack ?? ''}\n${JSON.stringify(cause)}`);
  } finally {
    await servers.close();
    await generator.close();
    await grader.close();
  }
  const shown = [...generator.headers, ...grader.headers].filter(
    ({ authorization }) => authorization === `Bearer ${process.env[variable]}`,
  );
  return { error, keys: shown.length };
}

async function filesIn(folder: string): Promise<[string, string][]> {
  const files: [string, string][] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const whole = path.join(folder, name);
    if ((await stat(whole)).isFile()) files.push([name, await readFile(whole, 'latin1')]);
  }
  return files;
}
