/**
 * A merge of shards in a process of its own that may kill itself. argv: number of the file operation at which it does (0: never), target,
 * shards. Prints `operations <n>` at its end.
 */
import { writeSync } from 'node:fs';
import { dieAt } from './dying.js';

const [killAt = '0', target = '', ...shards] = process.argv.slice(2);
const operations = await dieAt((operation) => operation === Number(killAt));
const { mergeShards } = await import('../src/align/merge-shards.js');
await mergeShards(target, shards);
writeSync(1, `operations ${operations()}\n`);
