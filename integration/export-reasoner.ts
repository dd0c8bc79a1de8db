/**
 * The package's reasoner as a checkpoint and as an adapter beside its base, and what the embedded engine says with it, for a proof in
 * Python. Usage: node dist/integration/export-reasoner.js FOLDER
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { defaultModel, resolveModel } from '../src/lm/models.js';
import { ourWords } from './our-words.js';
import { deliberate, makeReasonerRun, reasoner } from './proof.js';

const folder = path.resolve(process.argv[2]!);
const run = path.join(folder, 'run');
await makeReasonerRun(run);
await deliberate('export', run, '--to', 'merged', '--out', path.join(folder, 'merged'));
await deliberate('export', run, '--to', 'merged', '--arm', 'raw', '--out', path.join(folder, 'raw'));
await deliberate('export', run, '--to', 'peft', '--out', path.join(folder, 'peft'));
await writeFile(path.join(folder, 'words.json'), JSON.stringify(await ourWords(await resolveModel(defaultModel), reasoner)));
