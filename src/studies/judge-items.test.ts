import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerDigest, appendOverride, overridesFile } from '../view/overrides.js';
import { judgeItems } from './judge-items.js';
import type { Lab } from './study.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'deliberate-labels-'));
});
afterEach(() => rm(root, { recursive: true }));

const labelled = async (labels: string) => (await judgeItems({ settings: { judge: { labels, items: 10 } } } as Lab, [])).items;

describe('labels of answers', () => {
  it('are what people said in the viewer: the last word on each answer, nothing where it was taken back', async () => {
    const say = (answer: string, verdict: 0 | 1 | null) =>
      appendOverride(root, {
        record: `completion/${answer}`,
        promptId: 'p',
        messages: [{ role: 'user', content: 'May I?' }],
        category: 'violence',
        answer,
        answerDigest: answerDigest(answer),
        verdict,
        judged: 0.4,
        note: '',
      });
    await say('No.', 1);
    await say('Yes.', 1);
    await say('Perhaps.', 0);
    await say('Yes.', 0);
    await say('Perhaps.', null);
    const items = await labelled(overridesFile(root));
    expect(items.map(({ answer, good, category, messages }) => [answer, good, category, messages.length])).toEqual([
      ['No.', true, 'violence', 1],
      ['Yes.', false, 'violence', 1],
    ]);
  });

  it('stand in a file of their own as well; another line is refused by its number', async () => {
    const file = path.join(root, 'labels.jsonl');
    const line = { messages: [{ role: 'user', content: 'May I?' }], category: 'none', answer: 'Yes.', good: true };
    await writeFile(file, `${JSON.stringify(line)}\n`);
    expect(await labelled(file)).toMatchObject([{ answer: 'Yes.', good: true }]);
    await writeFile(file, `${JSON.stringify(line)}\n${JSON.stringify({ ...line, good: 'yes' })}\n`);
    await expect(labelled(file)).rejects.toThrow(/labels\.jsonl:2.*a line of an overrides\.jsonl/);
  });
});
