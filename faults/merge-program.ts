/**
 * A merge of shards in a process of its own that may kill itself. argv: number of the file operation at which it does (0: never), target,
 * shards. Prints `operations <n>` at its end.
 */
import { writeSync } from 'node:fs';
import { watchDisk } from './watched-disk.js';

const [killAt = '0', target = '', ...shards] = process.argv.slice(2);
let operations = 0;
await watchDisk((half) => {
  if (++operations !== Number(killAt)) return;
  half();
  process.kill(process.pid, 'SIGKILL');
});
// Only now: modules take the watched functions when they are loaded.
const { mergeShards } = await import('../src/align/merge-shards.js');
await mergeShards(target, shards);
writeSync(1, `operations ${operations}\n`);
