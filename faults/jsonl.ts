/** Files of records as crashes, disks and enemies leave them: read back whole, or refused by file and line. Nothing else. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DeliberateError } from '../src/base/errors.js';
import { JsonlLog, readJsonl, writeJsonl } from '../src/base/jsonl.js';
import { Random } from '../src/base/random.js';
import { Completion } from '../src/base/records.js';
import { mutateBytes } from './mutate.js';
import { times, type FaultOptions, type Figures } from './section.js';

export const fullJsonl = 3000;

const record = (n: number): Completion => ({
  id: `id${n}`,
  promptId: `p${n % 5}`,
  sample: n,
  cot: `The user asks \u2028 ${n}. "quoted" \u{1F642}`,
  answer: `Answer\n${n}`,
  stopReason: 'stop',
  repaired: 0,
  decision: 'comply',
  citations: [{ code: 'K4', subject: 'bicycles', quote: 'Explain it.' }],
  checks: {
    wellFormed: true,
    citedClauseExists: null,
    quoteOccurs: null,
    rulingMatchesDecision: null,
    answerMatchesDecision: true,
    leaksSpec: false,
  },
});

/** Lines that an enemy, another program or another year might have written. Each must be refused by its number. */
const hostileLines: Record<string, string | Buffer> = {
  'lists in lists, a million deep': '['.repeat(1e6) + ']'.repeat(1e6),
  'objects in objects, 200,000 deep': '{"a":'.repeat(2e5) + '1' + '}'.repeat(2e5),
  'a record with a field of its prototype': JSON.stringify(record(0)).replace('{', '{"__proto__":{"x":1},'),
  'an unknown field': JSON.stringify({ ...record(0), spec: 'smuggled' }),
  'a number beyond all numbers': JSON.stringify(record(0)).replace('"sample":0', '"sample":1e999'),
  NaN: JSON.stringify(record(0)).replace('"sample":0', '"sample":NaN'),
  'a byte order mark': `\ufeff${JSON.stringify(record(0))}`,
  'two records on a line': JSON.stringify(record(0)) + JSON.stringify(record(1)),
  'a byte that is no UTF-8': Buffer.from(JSON.stringify(record(0)).replace('bicycles', 'bicycl\xff'), 'latin1'),
  'a list': JSON.stringify([record(0)]),
  null: 'null',
  'NULs within': `${JSON.stringify(record(0)).slice(0, 40)}\0\0\0\0`,
  '50 MB without sense': 'x'.repeat(50e6),
};

export async function jsonl(options: FaultOptions): Promise<Figures> {
  const { home, seed, say } = options;
  const failures: string[] = [];
  const file = path.join(home, 'records.jsonl');
  const records = Array.from({ length: 12 }, (_, n) => record(n));
  await writeJsonl(file, records);
  const sound = await readFile(file);

  let cuts = 0;
  for (let end = 0; end <= sound.length; end += Math.max(1, Math.round(1 / options.scale / 4))) {
    await writeFile(file, sound.subarray(0, end));
    const whole = sound.subarray(0, end).toString('latin1').split('\n').length - 1;
    const log = await JsonlLog.open(file, Completion);
    const missing = records.slice(log.records.length);
    await log.append(...missing);
    await log.close();
    if (log.records.length !== whole) failures.push(`cut at byte ${end}: ${log.records.length} records read, ${whole} are whole`);
    if (!(await readFile(file)).equals(sound))
      failures.push(`cut at byte ${end}: the file is not what it was after the lost records were added`);
    cuts++;
  }
  say(`cut at ${cuts} bytes`);

  const known = records.map((one) => JSON.stringify(one));
  const count = times(fullJsonl, options);
  const tally = { refused: 0, read: 0, changed: 0 };
  for (let n = 0; n < count; n++) {
    await writeFile(file, mutateBytes(sound, new Random(`jsonl ${seed} ${n}`), sound.length));
    const found = await outcome(file);
    if (typeof found === 'string') failures.push(`damaged file ${n} of seed ${seed}: ${found}`);
    else if (found === null) tally.refused++;
    else {
      tally.read++;
      const texts = found.map((one) => JSON.stringify(one));
      if (texts.some((text) => !known.includes(text))) tally.changed++;
      // Only the end may be missing: a record that stands in another's place says that one before it was passed over.
      if (texts.some((text, i) => known.includes(text) && text !== known[i]))
        failures.push(`damaged file ${n} of seed ${seed}: a record in the middle was passed over`);
    }
  }
  say(`${count} damaged files`);
  if (count >= 50 && (tally.refused === 0 || tally.read === 0)) failures.push('the damage is all of one kind: it shows nothing');

  for (const [name, line] of Object.entries(hostileLines)) {
    const lines = [Buffer.from(`${JSON.stringify(record(1))}\n`), Buffer.from(line), Buffer.from(`\n${JSON.stringify(record(2))}\n`)];
    await writeFile(file, Buffer.concat(lines));
    const found = await outcome(file, 2);
    if (found !== null) failures.push(`${name}: ${typeof found === 'string' ? found : 'read as a record'}`);
  }
  return {
    lines: [
      `Cut at ${cuts} of ${sound.length} bytes: every whole record read, the torn one dropped, the file equal after the lost records were added.`,
      `${count} files damaged at random: ${tally.refused} refused by file and line, ${tally.read} read; in ${tally.changed} of these a changed letter or digit made another record that is as well-formed as the first: records carry no checksum.`,
      `${Object.keys(hostileLines).length} hostile lines, all refused by number: ${Object.keys(hostileLines).join(', ')}.`,
    ],
    failures,
  };
}

/** The records; null where the file was refused by its line; else what is wrong. */
async function outcome(file: string, line?: number): Promise<Completion[] | null | string> {
  try {
    return await readJsonl(file, Completion);
  } catch (error) {
    const named =
      error instanceof DeliberateError && error.kind === 'input' && new RegExp(`${file}:${line ?? '\\d+'}: `).test(error.message);
    return named ? null : String((error as Error).stack ?? error).slice(0, 300);
  }
}
