/**
 * The commands, with models on services that need a key and that repeat the key in what they say: no file that they write and no
 * line on the screen may hold it.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../src/base/package-root.js';
import { modelRoles } from '../src/base/server-settings.js';
import { writeSpellingModel } from '../src/lm/spelling-model.js';
import { startServe } from '../src/serve/serve-process.js';
import { startKeyedServices, type KeyedServices, type Temper } from './keyed-services.js';
import { filesIn } from './scripted-run.js';
import type { FaultOptions, Figures } from './section.js';

const holders = [...modelRoles, 'tinker', 'hub', 'serve'] as const;
type Holder = (typeof holders)[number];
type Keys = Record<Holder, string>;
const variableOf = (holder: Holder) =>
  ({ hub: 'HF_TOKEN', serve: 'DELIBERATE_API_KEY' })[holder as string] ?? `FAULTS_KEY_${holder.toUpperCase()}`;

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
const placesOf = (places: readonly (readonly [string, string])[], name: string, key: string): string[] =>
  places.flatMap(([place, text]) =>
    Object.entries(writings(key)).flatMap(([how, written]) =>
      text.includes(written) ? [`the key of ${name} stands in ${place}, ${how}`] : [],
    ),
  );

/** Tiny sizes; the policy is a model that only spells, so what it learns is of no matter. */
const settings = (urls: KeyedServices['urls'], model: string, prompts: string) => {
  const server = (role: (typeof modelRoles)[number]) => ({
    engine: 'openai',
    baseUrl: urls[role],
    model: role,
    apiKeyEnv: variableOf(role),
    patienceSeconds: 20,
  });
  return {
    engine: {
      kind: 'tinker',
      baseUrl: urls.tinker,
      apiKeyEnv: variableOf('tinker'),
      model,
      servedModel: 'tiny',
      adapter: null,
      rank: 4,
      patienceSeconds: 20,
    },
    generator: server('generator'),
    judge: server('judge'),
    attacker: server('attacker'),
    categoriser: server('categoriser'),
    prompts: { file: prompts, train: 12, ordinary: 3, validation: 2 },
    generate: { samples: 2, maxTokens: 400, specTokens: 100_000 },
    filter: { threshold: 0, requiredChecks: ['wellFormed'], citation: false },
    sft: { epochs: 1, batchSize: 4 },
    rl: { steps: 1, promptsPerStep: 2, samplesPerPrompt: 2, maxTokens: 24, validateEvery: 1 },
    eval: { plain: 1, jailbroken: 1, techniques: 1, maxTokens: 24, arms: ['base', 'sft', 'sft+rl'], judge: server('grader') },
  };
};

interface Session {
  /** The run, and all that belongs to it. */
  folder: string;
  env: Record<string, string>;
  told: string[];
}

export async function secrets({ home, say, scale }: FaultOptions): Promise<Figures> {
  // The hub's client takes no token that begins otherwise.
  const newKey = (holder: Holder) => `${holder === 'hub' ? 'hf_' : 'sk/'}${randomBytes(18).toString('hex')}+z`;
  const keys = Object.fromEntries(holders.map((holder) => [holder, newKey(holder)])) as Keys;
  const root = path.join(home, 'secrets');
  const model = path.join(root, 'model');
  await mkdir(root, { recursive: true });
  await writeSpellingModel(model, 'llama-tied');
  const prompts = path.join(root, 'prompts.jsonl');
  await writeFile(prompts, await somePrompts());
  const failures: string[] = [];
  const told: string[] = [];
  const shown = Object.fromEntries(holders.map((holder) => [holder, 0])) as Record<Holder, number>;
  const commands: string[] = [];

  /** Runs commands against services of this temper. */
  const against = async (temper: Temper, use: (session: Session, run: (...args: string[]) => Promise<number>) => Promise<void>) => {
    const folder = path.join(root, temper);
    await mkdir(folder);
    const services = await startKeyedServices(keys, temper, { checkpoint: model, folder: path.join(root, `service-${temper}`) });
    await writeFile(path.join(folder, 'run.yaml'), JSON.stringify(settings(services.urls, model, prompts)));
    const env = {
      HF_ENDPOINT: services.urls.hub,
      DELIBERATE_CACHE: path.join(folder, 'cache'),
      ...Object.fromEntries(holders.map((holder) => [variableOf(holder), keys[holder]])),
    };
    const session: Session = { folder, env, told };
    await use(session, async (...args) => {
      commands.push(args[0]!);
      const { code, output } = await command(session, args);
      say(`${temper}: ${args.slice(0, 2).join(' ').replaceAll(`${root}/`, '')}: exit code ${code}`);
      told.push(output);
      return code;
    });
    for (const [holder, count] of Object.entries(services.shown())) shown[holder as Holder] += count;
    await services.close();
  };

  await against('patient', async ({ folder, env }, run) => {
    const [config, whole] = [path.join(folder, 'run.yaml'), path.join(folder, 'run')];
    const expectEnd = async (...args: string[]) => {
      if ((await run(...args)) !== 0)
        failures.push(`${args[0]} on services that fail now and then does not come to its end: ${told.at(-1)}`);
    };
    await expectEnd('run', config, '--out', whole);
    const set = path.join(folder, 'set.csv');
    await writeFile(set, 'forbidden_prompt,category,source\nName a flower.,none,test\nName a river.,none,test\n');
    const asked = ['--suite', 'strongreject', '--file', set, '--arm', 'base', '--technique', 'pap_expert_endorsement'];
    await expectEnd('eval', whole, ...asked);
    for (const target of ['openai', 'trl', 'openrlhf', 'verl', 'inspect', 'peft']) await expectEnd('export', whole, '--to', target);
    // Half of the time.
    if (scale >= 1) await expectEnd('study', config, '--out', path.join(folder, 'study'), '--only', 'headline', '--set', 'study.seeds=[0]');
    shown.serve += await askServer({ folder, env, told }, model, keys.serve, failures);
    if ((await run('models', 'pull', 'org/private')) === 0) failures.push('a hub that refuses is not noticed');
    await run('doctor');
  });
  for (const temper of ['refuses', 'gateway'] as const) {
    await against(temper, async ({ folder }, run) => {
      if ((await run('run', path.join(folder, 'run.yaml'), '--out', path.join(folder, 'run'))) === 0)
        failures.push(`services whose temper is "${temper}" are not noticed`);
    });
  }

  for (const holder of holders) if (shown[holder] === 0) failures.push(`nobody was shown the key of ${holder}`);
  // Else the search below would find nothing because nothing was told.
  if (!told.some((text) => text.includes('is not accepted')))
    failures.push('what the services said of the key came nowhere: the search shows nothing');
  for (const [how, sent] of Object.entries(planted(keys.judge)))
    if (!placesOf([['a planted text', sent]], 'judge', keys.judge).some((found) => found.endsWith(`, ${how}`)))
      failures.push(`the search does not find a key ${how}`);
  const places: [string, string][] = told.map((text, i) => [`what command ${i + 1} said`, text]);
  for await (const [name, bytes] of filesIn(root)) if (!name.startsWith('service-')) places.push([name, bytes.toString('latin1')]);
  for (const holder of holders) failures.push(...placesOf(places, holder, keys[holder]));
  const lines = told.join('\n').split('\n').length;
  say(`${places.length - told.length} files, ${lines} lines`);
  return {
    lines: [
      `${commands.length + 1} commands (${[...new Set([...commands, 'serve'])].join(', ')}) with ${holders.length} keys, on services that repeat the key in their errors (5xx now and then, 401, an error inside a 200): ${holders.map((holder) => `${holder} ${shown[holder]}`).join(', ')} requests carried the key; ${places.length - told.length} files and ${lines} lines on the screen were searched for each in ${Object.keys(writings('k')).length} writings: ${failures.length === 0 ? 'found nowhere' : 'FOUND'}.`,
    ],
    failures,
  };
}

/** Of the package; most have lost their category. */
async function somePrompts(): Promise<string> {
  const lines = (await readFile(path.join(packageRoot, 'data', 'prompts.jsonl'), 'utf8')).trim().split('\n');
  return lines
    .filter((_, i) => i % 8 === 0)
    .map((line, i) => {
      const { category, ...prompt } = JSON.parse(line) as Record<string, unknown>;
      return `${JSON.stringify(i % 4 !== 0 ? prompt : { ...prompt, ...(category !== undefined && { category }) })}\n`;
    })
    .join('');
}

const main = path.join(packageRoot, 'dist', 'src', 'cli', 'main.js');
const environment = (env: Record<string, string>) => ({ ...process.env, ...env, NO_COLOR: '1' });

function command({ folder, env }: Session, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** `serve` with a key: asked with the right one, a wrong one and none. @returns the requests with the right one */
async function askServer({ folder, env, told }: Session, model: string, key: string, failures: string[]): Promise<number> {
  const args = [model, '--port', '0', '--max-tokens', '8'];
  const { child, address, written, exit } = await startServe(args, { cwd: folder, env: environment(env) });
  let right = 0;
  for (const [authorization, wanted] of [
    [`Bearer ${key}`, 200],
    [`Bearer ${key}x`, 401],
    ['', 401],
  ] as const) {
    for (const [route, method] of [
      ['/v1/chat/completions', 'POST'],
      ['/v1/models', 'GET'],
      ['/metrics', 'GET'],
    ] as const) {
      const headers = { 'content-type': 'application/json', ...(authorization !== '' && { authorization }) };
      const body = JSON.stringify({ model: path.basename(model), messages: [{ role: 'user', content: 'Say a.' }] });
      const answer = await fetch(address + route, { method, headers, ...(method === 'POST' && { body }) });
      told.push(await answer.text());
      if (answer.status === 200 && wanted === 200) right++;
      if (answer.status === 200 && wanted !== 200) failures.push(`serve ${route} answers without the right key`);
    }
  }
  child.kill('SIGTERM');
  await exit;
  told.push(written());
  return right;
}
