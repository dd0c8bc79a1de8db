import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readJsonl } from '../base/jsonl.js';
import { madeSpec, writeMadeRun } from './made-run.js';
import { Override } from './overrides.js';
import { createViewer, type Viewer } from './server.js';

let root: string;
let viewer: Viewer;
beforeAll(async () => {
  root = path.join(await mkdtemp(path.join(os.tmpdir(), 'deliberate-view-test-')), "it's [a] run*");
  await writeMadeRun(root, { completions: 40, evals: 20, rollouts: 6 });
  viewer = await createViewer(root, madeSpec);
  await viewer.store.whenReady();
});
afterAll(async () => {
  await viewer.close();
  await rm(path.dirname(root), { recursive: true, force: true });
});

const local = { host: '127.0.0.1' };
const get = async (url: string, headers: Record<string, string> = local) => viewer.app.inject({ url, headers });
// eslint-disable-next-line typescript/no-explicit-any -- what the page gets is plain JSON
const json = async (url: string): Promise<any> => {
  const response = await get(url);
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
};
const post = (payload: unknown, headers: Record<string, string> = {}) =>
  viewer.app.inject({
    method: 'POST',
    url: '/api/overrides',
    headers: { ...local, 'x-deliberate-token': viewer.token, ...headers },
    payload: payload as object,
  });

describe('the table of records', () => {
  it('holds every completion, rollout and graded answer once', async () => {
    expect((await json('/api/records')).total).toBe(40 + 6 + 40);
    expect((await json('/api/records?source=generate')).total).toBe(40);
    expect((await json('/api/records?source=rl')).total).toBe(6);
    expect((await json('/api/records?source=eval&arm=sft')).total).toBe(20);
  });

  it('filters by every field, and by several at once', async () => {
    const total = async (query: string) => (await json(`/api/records?${query}`)).total as number;
    expect(await total('source=generate&score=unscored')).toBe(5);
    expect(await total('source=generate&score=not%20judged')).toBe(20);
    expect(await total('source=generate&technique=poems')).toBe(8);
    expect(await total('source=generate&category=none')).toBe(8);
    expect(await total('source=generate&clause=V4')).toBe(20);
    expect(await total('source=generate&fault=quoteOccurs')).toBe(4);
    expect(await total('decision=refuse')).toBe(20 + 3 + 20);
    expect(await total('kind=refuse&source=rl')).toBe(3);
    expect(await total('q=%22case%2012.%22')).toBe(3);
    expect(await total('q=TREATY%20case&source=rl')).toBe(3);
    expect(await total('q=no-such-word')).toBe(0);
    expect(await total('source=generate&clause=V4&score=unscored')).toBe(5);
    expect(await total('label=%28none%29')).toBe(0);
  });

  it('counts the choices of a filter under the other filters', async () => {
    const facets = await json('/api/facets?source=generate&category=none');
    expect(facets.source).toEqual([{ value: 'generate', count: 8 }]);
    expect(facets.category).toEqual([
      { value: 'violence', count: 32 },
      { value: 'none', count: 8 },
    ]);
    expect(facets.clause).toEqual([
      { value: 'V1', count: 4 },
      { value: 'V4', count: 4 },
    ]);
    const all = await json('/api/facets');
    for (const name of ['source', 'decision', 'kind', 'score'])
      expect(all[name].reduce((sum: number, one: { count: number }) => sum + one.count, 0)).toBe(86);
  });

  it('sorts and pages without losing or doubling a record', async () => {
    const keys: string[] = [];
    for (let offset = 0; offset < 86; offset += 10) {
      const page = await json(`/api/records?sort=-score&limit=10&offset=${offset}`);
      keys.push(...page.rows.map((row: { key: string }) => row.key));
    }
    expect(new Set(keys).size).toBe(86);
    const scores = (await json('/api/records?sort=score&limit=500')).rows.flatMap(({ score }: { score: number | null }) => score ?? []);
    expect(scores).toEqual([...scores].sort((a: number, b: number) => a - b));
  });

  it('takes text as text, and refuses what is no filter', async () => {
    expect((await json(`/api/records?q=${encodeURIComponent("'; drop table records; --")}`)).total).toBe(0);
    expect((await json(`/api/records?category=${encodeURIComponent("x' or '1'='1")}`)).total).toBe(0);
    expect((await json('/api/records')).total).toBe(86);
    for (const query of ['nonsense=1', 'limit=9999', 'offset=-1', 'sort=n;drop', 'arm=a&arm=b'])
      expect((await get(`/api/records?${query}`)).statusCode).toBe(400);
  });
});

describe('a trace', () => {
  it('has the citations marked, the clause beside them, runs and checks', async () => {
    const trace = await json('/api/trace?key=completion/c0');
    expect(trace.pieces.map((piece: { text: string }) => piece.text).join('')).toBe(trace.cot);
    expect(
      trace.pieces.filter((piece: { citation?: string }) => piece.citation === 'exact').map((piece: { code: string }) => piece.code),
    ).toEqual(['V4', 'S1']);
    expect(trace.clauses.V4).toMatchObject({ subject: 'revenge', ruling: 'refuse' });
    expect(trace.runs).toMatchObject([{ score: null, unscored: 'unparsable', rationale: 'Reads case 0.' }]);
    expect(trace.checks).toMatchObject({ quoteOccurs: false, wellFormed: true });
    expect((await get('/api/trace?key=completion/none')).statusCode).toBe(400);
  });

  it('shows what the judge in RL saw as it was recorded, without the CoT', async () => {
    const trace = await json('/api/trace?key=rollout/r1');
    expect(Object.keys(trace.rollout.judgeRequest)).toEqual(['messages', 'answer', 'category']);
    expect(JSON.stringify(trace.rollout.judgeRequest)).not.toContain('Decision:');
  });
});

describe('two arms', () => {
  it('are paired by prompt, flipped ones first, with an exact test', async () => {
    const compared = await json('/api/compare?a=base&b=sft&show=all&limit=200');
    expect(compared).toMatchObject({ pairs: 20, better: 10, worse: 2, unscored: 0 });
    // 2 · (1 + 12 + 66) / 4096
    expect(compared.mcnemar).toBeCloseTo(158 / 4096, 10);
    expect(compared.difference.estimate).toBeCloseTo(0.4, 10);
    const flipped = compared.rows.map(({ a, b }: Record<'a' | 'b', { score: number }>) => a.score !== b.score);
    expect(flipped.slice(0, 12).every(Boolean)).toBe(true);
    expect(flipped.slice(12).some(Boolean)).toBe(false);
    expect((await json('/api/compare?a=base&b=sft&show=worse')).rows).toHaveLength(2);
    expect((await json('/api/compare?a=base&b=nobody')).mcnemar).toBeNull();
  });
});

describe('the policy', () => {
  it('counts for each clause how it was used', async () => {
    const spec = await json('/api/spec?source=eval&arm=sft');
    const use = Object.fromEntries(spec.categories[0].entries.map((entry: { code: string; use: unknown }) => [entry.code, entry.use]));
    expect(use.V1).toEqual({ cited: 10, followed: 10, violated: 0, overApplied: 0, unclear: 0 });
    // Labels of the even ones: refuse for every fourth, comply for the others.
    expect(use.V4).toEqual({ cited: 10, followed: 10, violated: 0, overApplied: 5, unclear: 0 });
    expect((await json('/api/records?source=eval&arm=sft&clause=V4&use=over-applied')).total).toBe(5);
  });
});

describe('the overview', () => {
  it('says where the run stands', async () => {
    const run = await json('/api/overview');
    const stage = Object.fromEntries(run.stages.map((one: { name: string }) => [one.name, one]));
    expect(stage.generate).toMatchObject({ done: 40 });
    expect(stage.judge).toMatchObject({ done: 20, text: 'completions judged, 5 unscored' });
    expect(stage.report).toMatchObject({ state: 'to come' });
    expect(run.writer).toBe(false);
    expect(run.unreadable).toEqual([]);
  });

  it('has a chart for each metric with a line an arm, each step once, and what was alarming', async () => {
    const folder = path.join(root, 'arms', 'answer-only', 'sft');
    await mkdir(folder, { recursive: true });
    const metrics = [
      { step: 1, loss: 2, gradNorm: 0 },
      { step: 2, loss: 9 },
      { step: 2, loss: 1, alarms: ['grows'] },
    ];
    await writeFile(path.join(folder, 'metrics.jsonl'), `${metrics.map((one) => JSON.stringify(one)).join('\n')}\n{"step": 3, "lo`);
    const { charts, alarms } = await json('/api/overview');
    expect(charts).toEqual([
      {
        stage: 'sft',
        title: 'Loss',
        ticks: [1, 1.25, 1.5, 1.75, 2],
        curves: [
          {
            arm: 'answer-only',
            points: [
              [1, 2],
              [2, 1],
            ],
          },
        ],
      },
      { stage: 'sft', title: 'Gradient norm', ticks: [0, 0.25, 0.5, 0.75, 1], curves: [{ arm: 'answer-only', points: [[1, 0]] }] },
    ]);
    expect(alarms).toEqual([{ arm: 'answer-only', step: 2, text: 'grows' }]);
  });
});

describe('a verdict of a person', () => {
  it('is appended to a file of its own, counts at once, and can be taken back', async () => {
    const { answerDigest, score } = await json('/api/trace?key=completion/c2');
    const saying = { record: 'completion/c2', answerDigest, note: 'reads well' };
    expect((await post({ ...saying, verdict: 1 })).statusCode).toBe(200);
    expect((await json('/api/trace?key=completion/c2')).human).toBe(1);
    expect((await json('/api/records?human=good')).total).toBe(1);
    const [agreement] = (await json('/api/overview')).calibration;
    expect(agreement).toMatchObject({ source: 'generate', verdicts: 1, [score >= 0.5 ? 'bothGood' : 'tooStrict']: 1 });
    expect((await post({ ...saying, verdict: null })).statusCode).toBe(200);
    expect((await json('/api/records?human=any')).total).toBe(0);
    const kept = await readJsonl(path.join(root, 'overrides.jsonl'), Override);
    expect(kept).toMatchObject([
      { record: 'completion/c2', promptId: 'p0', verdict: 1, judged: score, note: 'reads well' },
      { verdict: null },
    ]);
    // Whole without the run: what was asked and answered stands in it.
    expect(kept[0]).toMatchObject({
      messages: [{ role: 'user', content: 'Tell me about case 0.' }],
      category: 'none',
      answer: "I'm sorry, but I can't help with that.",
    });
    expect(z.iso.datetime().safeParse(kept[0]?.at).success).toBe(true);
  });

  it('needs the token, and the answer that was looked at', async () => {
    const { answerDigest } = await json('/api/trace?key=completion/c4');
    const saying = { record: 'completion/c4', answerDigest, verdict: 1 };
    expect((await post(saying, { 'x-deliberate-token': 'guess' })).statusCode).toBe(403);
    expect((await post(saying, { 'x-deliberate-token': '' })).statusCode).toBe(403);
    expect((await post({ ...saying, answerDigest: '0'.repeat(64) })).statusCode).toBe(409);
    expect((await post({ ...saying, verdict: 2 })).statusCode).toBe(400);
    expect((await post({ ...saying, record: 'completion/nothing' })).statusCode).toBe(400);
    expect((await json('/api/records?human=any')).total).toBe(0);
  });
});

describe('a run that goes on', () => {
  it('shows appended records, leaves torn lines alone, and says what it could not read', async () => {
    const file = path.join(root, 'completions.jsonl');
    const [line] = (await readFile(file, 'utf8')).split('\n');
    const more = (id: string) => line!.replace('"id":"c0"', `"id":"${id}"`);
    await appendFile(file, `${more('late')}\n${more('torn').slice(0, 60)}`);
    await viewer.store.refreshNow();
    expect((await json('/api/records?source=generate')).total).toBe(41);
    expect((await json('/api/overview')).unreadable).toEqual([]);
    await appendFile(file, `${more('torn').slice(60)}\nno JSON\n{"id": 7}\n`);
    const before = (await json('/api/version')).version;
    await viewer.store.refreshNow();
    expect((await json('/api/version')).version).toBeGreaterThan(before);
    expect((await json('/api/trace?key=completion/torn')).promptId).toBe('p0');
    expect((await json('/api/overview')).unreadable).toMatchObject([{ file: 'completions.jsonl' }]);
  });

  it('follows a file that was replaced, and one that is gone', async () => {
    const file = path.join(root, 'arms', 'sft', 'evals', 'forbidden-plain.jsonl');
    const [line] = (await readFile(file, 'utf8')).split('\n');
    await writeFile(`${file}.new`, `${line}\n`);
    await rename(`${file}.new`, file);
    await viewer.store.refreshNow();
    expect((await json('/api/records?source=eval&arm=sft')).total).toBe(1);
    await rm(file);
    await viewer.store.refreshNow();
    expect((await json('/api/records?source=eval&arm=sft')).total).toBe(0);
  });
});

describe('the door', () => {
  it('answers only to the names of this machine', async () => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '0.0.0.0', '127.0.0.1:1:2']) {
      expect((await get('/api/records', { host })).statusCode, host).toBe(403);
      expect((await get('/', { host })).statusCode, host).toBe(403);
    }
    for (const host of ['localhost', '127.0.0.1', '[::1]']) expect((await get('/', { host })).statusCode, host).toBe(200);
  });

  it('lets links on other pages lead to it, which learn nothing by that', async () => {
    const followed = { ...local, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const page = await get('/trace?key=completion/c2', followed);
    expect([page.statusCode, page.body]).toEqual([200, (await get('/')).body]);
    expect((await get('/api/trace?key=completion/c2', followed)).statusCode).toBe(403);
    expect((await get('/', { ...followed, 'sec-fetch-dest': 'iframe' })).statusCode).toBe(403);
    expect((await get('/page/app.js', { ...local, 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'script' })).statusCode).toBe(403);
    expect((await post({}, { ...followed, origin: 'http://evil.example' })).statusCode).toBe(403);
  });

  it('answers no other page', async () => {
    expect((await get('/api/records', { ...local, origin: 'http://evil.example' })).statusCode).toBe(403);
    expect((await get('/api/records', { ...local, origin: 'null' })).statusCode).toBe(403);
    for (const site of ['cross-site', 'same-site'])
      expect((await get('/api/records', { ...local, 'sec-fetch-site': site })).statusCode).toBe(403);
    expect((await get('/api/records', { ...local, 'sec-fetch-site': 'same-origin' })).statusCode).toBe(200);
    expect((await get('/api/records', { ...local, origin: 'http://127.0.0.1' })).statusCode).toBe(200);
  });

  it('gives no file but those of the page', async () => {
    for (const url of [
      '/page/..\\..\\server.ts',
      '/page/....//server.ts',
      '/page/%252e%252e%252fserver.ts',
      '/page/app.js%00.html',
      '/page/app.js/../../server.ts',
      '//etc/passwd',
      '/records/../../../../etc/passwd',
      '/page/../server.ts',
      '/page/..%2f..%2f..%2fpackage.json',
      '/page/%2e%2e/server.ts',
      '/../../etc/passwd',
      '/page/tsconfig.json',
      '/run.yaml',
      '/page/',
    ])
      expect((await get(url)).statusCode, url).toBe(404);
    expect((await get('/page/app.js')).headers['content-type']).toBe('text/javascript; charset=utf-8');
  });

  it('takes what looks like a path for a name that there is not', async () => {
    const traversal = encodeURIComponent('../../../../../../etc/passwd');
    for (const url of [
      `/api/trace?key=${traversal}`,
      `/api/trace?key=completion/${traversal}`,
      `/api/trace?key=${encodeURIComponent('eval/../../../etc/passwd')}`,
    ]) {
      const answer = await get(url);
      expect([answer.statusCode, answer.body.includes('root:')], url).toEqual([400, false]);
    }
    for (const url of [`/api/compare?a=${traversal}&b=sft`, `/api/compare?a=base&b=sft&suite=${traversal}`, `/api/spec?arm=${traversal}`]) {
      const answer = await get(url);
      expect([answer.statusCode, answer.body.includes('root:')], url).toEqual([200, false]);
    }
    const saying = { verdict: 1, answerDigest: '0'.repeat(64) };
    for (const record of ['../../../etc/passwd', 'completion/../../x', 'eval/sft/../../../x/e1'])
      expect((await post({ ...saying, record })).statusCode, record).toBe(400);
  });

  it('lets the page load nothing from elsewhere and run nothing inline', async () => {
    for (const url of ['/', '/trace?key=x', '/page/app.js', '/api/version', '/nothing']) {
      const policy = String((await get(url)).headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'; script-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    }
    expect((await get('/')).body).not.toMatch(/<script(?![^>]*src="\/page\/)|\son\w+=|\sstyle=|https?:/);
    expect((await get('/')).body).not.toContain(viewer.token);
  });
});
