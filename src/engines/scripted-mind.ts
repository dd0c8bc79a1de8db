/** What the scripted model writes: it looks for the clause that shares most words with the request. For tests only. */
import type { Message, ResponseKind } from '../base/records.js';
import type { Random } from '../base/random.js';

export interface Memory {
  request: string;
  reply: string;
}

const rulings: Record<string, ResponseKind> = { allowed: 'comply', 'safe completion': 'safe-complete', disallowed: 'refuse' };
const decisions: Record<ResponseKind, string> = { comply: 'comply', 'safe-complete': 'safe completion', refuse: 'refuse' };
const answers: Record<ResponseKind, string> = {
  refuse: "I'm sorry, but I can't help with that.",
  'safe-complete':
    'In general, keep calm and write down what happened. I can not say what is right in your case; please talk to a doctor or a lawyer about it.',
  comply: 'Here is how it is done: first gather what you need, then go through it in small parts, and look over the result at the end.',
};

interface Line {
  subject: string;
  ruling: ResponseKind;
  text: string;
  code: string;
}

const clauses = (text: string): Line[] =>
  [...text.matchAll(/^(.+?): (allowed|disallowed|safe completion)\. (.+) \[([A-Z][A-Za-z0-9-]*)\]$/gm)].map((m) => ({
    subject: m[1] ?? '',
    ruling: rulings[m[2] ?? ''] ?? 'comply',
    text: m[3] ?? '',
    code: m[4] ?? '',
  }));

const styles = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^(refuse|safe completion|comply): .+ \[[A-Z][A-Za-z0-9-]*\]$/gm)].map((m) => [m[1] ?? '', m[0]]));

const words = (text: string): Set<string> => new Set(text.toLowerCase().match(/[a-z]{4,}/g) ?? []);

function overlap(a: string, b: string): number {
  const other = words(b);
  return [...words(a)].filter((word) => other.has(word)).length;
}

const lastUser = (messages: readonly Message[]): string => messages.findLast(({ role }) => role === 'user')?.content ?? '';

/** A reply with a CoT over the specification in the first message or, without one, out of memory. */
export function scriptedReply(messages: readonly Message[], memory: readonly Memory[], random: Random): string {
  const last = messages.at(-1);
  if (last?.role === 'assistant') return continued(last.content);
  const specification = messages.find(({ content }) => content.includes('Policies in short'))?.content;
  const request =
    messages.length === 1 && specification !== undefined ? (/^user: (.*)$/m.exec(specification)?.[1] ?? '') : lastUser(messages);
  if (specification === undefined) return recall(request, memory, random);
  if (/^Answer ##\d+$/m.test(lastUser(messages))) return scriptedVerdict(messages);
  const slip = random.uniform();
  if (slip < 0.05) return '<think>\nI lost the thread';
  const found = clauses(specification);
  const best = slip < 0.15 ? found[random.integer(Math.max(1, found.length))] : closest(request, found);
  const decision = best?.ruling ?? 'comply';
  const style = decision === 'comply' ? undefined : styles(specification).get(decisions[decision]);
  const cot = [
    `The user asks: ${request.replace(/\s+/g, ' ').slice(0, 60)}`,
    best === undefined
      ? 'Policy on this: none.'
      : `Policy on ${best.subject}: ${decision === 'comply' ? 'allowed' : decision === 'refuse' ? 'disallowed' : 'safe completion'}. ${best.text} [${best.code}]`,
    ...(style === undefined ? [] : [`Style for ${style}`]),
    ...(slip < 0.2 && slip >= 0.15 ? ['So says the policy above.'] : []),
    `Decision: ${decisions[decision]}`,
  ];
  const answer = slip > 0.93 ? answers[decision === 'refuse' ? 'comply' : 'refuse'] : answers[decision];
  return `<think>\n${cot.join('\n')}\n</think>\n${answer}`;
}

/** Goes on from a prefill: an open CoT is closed with the decision that it has, and the answer is what the CoT decides. */
function continued(prefill: string): string {
  const decided = [...prefill.matchAll(/^Decision: (.+)$/gm)].at(-1)?.[1] ?? 'comply';
  const kind = (Object.keys(decisions) as ResponseKind[]).find((one) => decisions[one] === decided) ?? 'comply';
  return prefill.includes('</think>') ? `\n${answers[kind]}` : `\nIt stays so.\nDecision: ${decided}\n</think>\n${answers[kind]}`;
}

const closest = (request: string, lines: readonly Line[]): Line | undefined => {
  const ranked = lines.map((line) => ({ line, score: overlap(request, `${line.subject} ${line.text}`) })).sort((a, b) => b.score - a.score);
  return (ranked[0]?.score ?? 0) > 0 ? ranked[0]?.line : undefined;
};

/** Nearest remembered reply, sometimes; else an answer of no policy. */
function recall(request: string, memory: readonly Memory[], random: Random): string {
  const draw = random.uniform();
  const nearest = memory.map((one) => ({ one, score: overlap(request, one.request) })).sort((a, b) => b.score - a.score)[0];
  if (nearest !== undefined && draw < 0.75) return nearest.one.reply;
  if (draw > 0.97) return '<think>\nThe user asks';
  const kind: ResponseKind = draw < 0.85 ? 'refuse' : 'comply';
  return `<think>\nThe user asks something.\nDecision: ${decisions[kind]}\n</think>\n${answers[kind]}`;
}

function toGrade(messages: readonly Message[]): { decision: string; kind: string } {
  const reading = messages.findLast(({ role, content }) => role === 'assistant' && content.includes('Decision:'))?.content ?? '';
  const quoted = /Answer (##\d+)\n([\s\S]*?)\n\1/.exec(lastUser(messages))?.[2] ?? '';
  const kind = quoted.startsWith("I'm sorry, but") ? 'refuse' : quoted.startsWith('In general') ? 'safe completion' : 'comply';
  return { decision: /Decision: (.+)/.exec(reading)?.[1]?.trim() ?? '', kind };
}

function scriptedVerdict(messages: readonly Message[]): string {
  const { decision, kind } = toGrade(messages);
  return `Wanted: ${decision}. Got: ${kind}. Style: kept. Grade: ${kind === decision ? 5 : 1}`;
}

/** Log-probabilities of grades: high where the kind of the quoted answer is the decision of the reading before it. */
export function scriptedGrades(messages: readonly Message[], choices: readonly string[]): number[] {
  const { decision, kind } = toGrade(messages);
  const likely = kind === decision ? '5' : '1';
  const weights = choices.map((choice) => (choice === likely ? 8 : 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => Math.log(weight / total));
}
