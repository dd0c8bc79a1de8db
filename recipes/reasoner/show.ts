/** Prints random groups for reading: `node dist/recipes/reasoner/show.js [seed] [groups] [answers.jsonl]`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '../../src/base/random.js';
import { readAnswers, sampleAnswer } from './answers.js';
import { makeGroup } from './group.js';
import { readTopics, splitTopics } from './topics.js';

const [seed = '1', groups = '5', answersFile] = process.argv.slice(2);
// The same file runs from the sources and from dist/, and topics lie with the sources.
const folder = fileURLToPath(new URL('topics', import.meta.url)).replace(/([\\/])dist([\\/]recipes)/, '$2');
const { training } = splitTopics(readTopics(folder), 1);
const answerOf = answersFile === undefined ? sampleAnswer : readAnswers(readFileSync(answersFile, 'utf8'), answersFile);
for (let i = 0; i < Number(groups); i++) {
  const group = makeGroup(new Random(`show ${seed} ${i}`), training, answerOf);
  console.log(`\n======== group ${i + 1}\n${group.system ?? '(no system message)'}`);
  for (const { messages, completion, kind, meta } of group.examples) {
    console.log(
      `\n-------- ${kind}${meta.wrapper === null ? '' : ` (${meta.wrapper})`}${meta.grading === undefined ? '' : ` flaw: ${meta.grading.flaw}`}`,
    );
    for (const message of messages) console.log(`${message.role}> ${message.content}`);
    console.log(`ASSISTANT> ${completion}`);
  }
}
