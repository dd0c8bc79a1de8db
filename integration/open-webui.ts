/**
 * The real Open WebUI, with `deliberate serve` as its only connection: what its backend makes of our list of models and of our
 * streams, and what its page shows of them. Started by integration/open-webui.sh.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromiumFile, openChromium } from '../src/report/chromium.js';
import { startServe } from '../src/serve/serve-process.js';
import { check, freePort, inTemporaryFolder, makeReasonerRun, say } from './proof.js';

const [program = 'open-webui', home = '.cache/open-webui'] = process.argv.slice(2);
const key = 'integration-key';
const question = 'How do I keep basil alive on a window sill?';
/** The reasoner says the request back first. */
const firstThought = 'The user asks';

interface Listed {
  data: { id: string; object: string }[];
}
interface Chunk {
  choices?: { delta?: { content?: string; reasoning_content?: string }; finish_reason?: string | null }[];
}

/** Waits until the address answers. @throws Error when it does not in ten minutes */
async function up(address: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const ready = await fetch(address).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    await sleep(1000);
  }
  throw new Error(`${address} does not answer`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** What its backend does for a page: list, then a conversation in a stream, then another turn. */
async function askBackend(webui: string): Promise<void> {
  const json = { 'content-type': 'application/json' };
  const signin = await fetch(`${webui}/api/v1/auths/signin`, { method: 'POST', headers: json, body: '{"email": "", "password": ""}' });
  const { token } = (await signin.json()) as { token: string };
  const headers = { ...json, authorization: `Bearer ${token}` };
  const listed = (await (await fetch(`${webui}/api/models`, { headers })).json()) as Listed;
  const ids = listed.data.map(({ id }) => id);
  check(`its backend lists our models: ${ids.join(', ')}`, ids.includes('sft'));

  const ask = (messages: object[]) =>
    fetch(`${webui}/api/chat/completions`, { method: 'POST', headers, body: JSON.stringify({ model: 'sft', stream: true, messages }) });
  const talk = async (messages: object[]) => {
    const text = await (await ask(messages)).text();
    const events = text.split('\n').filter((line) => line.startsWith('data: ') && !line.includes('[DONE]'));
    const chunks = events.map((line) => JSON.parse(line.slice('data: '.length)) as Chunk);
    const join = (of: 'content' | 'reasoning_content') => chunks.map(({ choices }) => choices?.[0]?.delta?.[of] ?? '').join('');
    const finish = chunks.findLast(({ choices }) => choices?.[0]?.finish_reason)?.choices?.[0]?.finish_reason;
    return {
      content: join('content'),
      reasoning: join('reasoning_content'),
      finish,
      ended: text.includes('[DONE]'),
      events: chunks.length,
    };
  };
  const first = await talk([{ role: 'user', content: question }]);
  check(
    `a stream comes through it: ${first.events} events, finish ${first.finish}, thoughts apart (${first.reasoning.length} characters), an answer (${first.content.length})`,
    first.ended && first.finish === 'stop' && first.reasoning.includes('Decision:') && first.content !== '' && first.events > 10,
  );
  const second = await talk([
    { role: 'user', content: question },
    { role: 'assistant', content: first.content },
    { role: 'user', content: 'And how often do I water it?' },
  ]);
  check(`a second turn is answered (${second.content.length} characters)`, second.ended && second.content !== '');
}

/** Its page, as a person uses it. */
async function askPage(webui: string): Promise<void> {
  const browser = await openChromium();
  try {
    const page = await (await browser.newContext({ viewport: { width: 1200, height: 800 } })).newPage();
    await page.goto(webui);
    await page.waitForSelector('#chat-input', { timeout: 120_000 });
    // News of the version lie above the page at first.
    await page.keyboard.press('Escape');
    for (const button of await page.getByRole('button', { name: /let's go/i }).all()) await button.click();
    await page.click('#chat-input');
    await page.keyboard.type(question);
    await page.keyboard.press('Enter');
    const thought = page.getByText(/^Thought/).first();
    await thought.waitFor({ timeout: 120_000 }).catch(async (error: unknown) => {
      await page.screenshot({ path: path.join(home, 'page.png') });
      throw new Error(`no thoughts are shown; ${path.join(home, 'page.png')} has the page`, { cause: error });
    });
    // Its buttons come when the answer is whole.
    await page.getByRole('button', { name: 'Good Response' }).first().waitFor({ timeout: 120_000 });
    const shown = await page.locator('.chat-assistant').first().innerText();
    await page.screenshot({ path: path.join(home, 'page.png') });
    await thought.click();
    await page.getByText(firstThought).first().waitFor({ timeout: 30_000 });
    await page.screenshot({ path: path.join(home, 'page-thoughts.png') });
    check(
      `its page shows an answer (${shown.length} characters), the thoughts folded above it and unfolded on a click`,
      !shown.includes(firstThought) && shown.length > 60,
    );
  } finally {
    await browser.close();
  }
}

await inTemporaryFolder(async (work) => {
  mkdirSync(home, { recursive: true });
  const run = path.join(work, 'run');
  await makeReasonerRun(run);
  const log = openSync(path.join(home, 'open-webui.log'), 'w');
  const ours = await startServe([run, '--arm', 'sft', '--port', '0', '--temperature', '0'], {
    env: { ...process.env, DELIBERATE_API_KEY: key },
  });
  const port = await freePort();
  const env = {
    ...process.env,
    DATA_DIR: path.join(work, 'data'),
    WEBUI_AUTH: 'False',
    WEBUI_SECRET_KEY: 'integration',
    OFFLINE_MODE: 'true',
    HF_HUB_OFFLINE: '1',
    ENABLE_OLLAMA_API: 'False',
    OPENAI_API_BASE_URLS: `${ours.address}/v1`,
    OPENAI_API_KEYS: key,
    ANONYMIZED_TELEMETRY: 'false',
  };
  const theirs = spawn(program, ['serve', '--host', '127.0.0.1', '--port', String(port)], { env, stdio: ['ignore', log, log], cwd: work });
  try {
    const webui = `http://127.0.0.1:${port}`;
    await up(`${webui}/health`);
    await askBackend(webui);
    if (chromiumFile === undefined) say('        no Chromium here: its page is not looked at');
    else await askPage(webui);
  } finally {
    await stop(theirs);
    await stop(ours.child);
  }
});
