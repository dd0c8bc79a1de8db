/**
 * Finds out how a chat template frames messages. Most templates put fixed text between contents, and that text
 * depends only on the roles on both sides. Probing shows it once; every prompt is then composed without the template,
 * contents encoded as text, so that no content can pose as a frame.
 */
import { inputError } from '../base/errors.js';
import type { Message } from '../base/records.js';
import { renderTemplate, type Rendering } from './template-process.js';

type Role = Message['role'];

export interface TemplateFrames {
  /** Text between two contents: key `user>assistant`; `>user` is the text before the first content. */
  between: ReadonlyMap<string, string>;
  /** Text after the last content that opens the assistant's turn, by the last message's role; without a `<think>` at its end, which completions write themselves. */
  generation: ReadonlyMap<string, string>;
  /** Roles whose contents the template strips, and on which sides. */
  strips: ReadonlyMap<string, { start: boolean; end: boolean }>;
  /** Why the template refuses roles that are missing above. */
  refusal: string;
}

/** Holds what an escaping or rewriting template would change. */
const probe = (index: number) => `Xq${index}<&>"'\\ é\n\n{{ 1 }} 0${index}qX`;
const longestProbe = 3;

/**
 * @param variables texts of special tokens that the template may name
 * @throws input error when the template rewrites contents or its frames depend on more than neighbouring roles
 */
export async function findFrames(template: string, variables: Record<string, string | null>): Promise<TemplateFrames> {
  let reason = '';
  for (const shapes of probeSets) {
    const padded = shapes.filter((shape) => shape.length <= 3);
    const renderings = await renderTemplate(
      template,
      [
        ...shapes.map((shape) => ({ messages: shape.map((role, i) => ({ role, content: probe(i) })), addGenerationPrompt: true })),
        ...padded.map((shape) => ({
          messages: shape.map((role, i) => ({ role, content: ` \n${probe(i)}\n ` })),
          addGenerationPrompt: true,
        })),
      ],
      variables,
    );
    const frames = readFrames(shapes, renderings);
    if (typeof frames === 'string') {
      reason = frames;
      continue;
    }
    if (!frames.generation.has('user')) throw inputError(`the model's chat template refuses a plain user message: ${frames.refusal}`);
    return { ...frames, strips: readStrips(padded, renderings.slice(shapes.length), frames) };
  }
  throw inputError(
    `the model's chat template does more than frame messages (${reason}), so prompts cannot be composed from it. Put a plain chat_template.jinja into the model's folder.`,
  );
}

/**
 * All sequences of roles up to a length, and a few longer ones; the last is never the assistant's: that is a prefill.
 * @param systemFirst also each of them with a system message before it
 */
function probeShapes(roles: Role[], systemFirst = false): Role[][] {
  let shapes: Role[][] = [[]];
  const all: Role[][] = [];
  for (let length = 1; length <= longestProbe; length++) {
    shapes = shapes.flatMap((shape) => roles.map((role) => [...shape, role]));
    all.push(...shapes);
  }
  all.push(['user', 'assistant', 'user', 'assistant', 'user', 'assistant', 'user']);
  if (systemFirst || roles.includes('system')) all.push(...all.map((shape): Role[] => ['system', ...shape]), ['system']);
  return all.filter((shape) => shape.at(-1) !== 'assistant');
}

/**
 * What spoils a template otherwise regular is left out, one thing after another: system texts after the first message
 * (often moved to the front), tool results (often written as JSON), all system texts (sometimes merged into a user turn).
 */
const probeSets: Role[][][] = [
  probeShapes(['system', 'user', 'assistant', 'tool']),
  probeShapes(['user', 'assistant', 'tool'], true),
  probeShapes(['user', 'assistant'], true),
  probeShapes(['user', 'assistant', 'tool']),
  probeShapes(['user', 'assistant']),
];

/** The frames, or a phrase that says what is irregular. */
function readFrames(shapes: Role[][], renderings: Rendering[]): Omit<TemplateFrames, 'strips'> | string {
  const between = new Map<string, string>();
  const generation = new Map<string, string>();
  let refusal = 'it gave no reason';
  for (const [index, shape] of shapes.entries()) {
    const rendering = renderings[index] as Rendering;
    if ('refused' in rendering) {
      if (shape.length === 1 || refusal === 'it gave no reason') refusal = rendering.refused;
      continue;
    }
    const cuts = cutAtProbes(rendering.text, shape.length);
    if (!cuts) return `it changes or moves contents in ${shape.join(', ')}`;
    for (const [i, cut] of cuts.entries()) {
      const frame = i < shape.length ? cut : cut.replace(/<think>\s*$/, '');
      const [map, key] = i < shape.length ? [between, `${shape[i - 1] ?? ''}>${shape[i]}`] : [generation, shape[i - 1] as string];
      const known = map.get(key);
      if (known !== undefined && known !== frame)
        return `the text around ${key.replace('>', ' → ')} differs from one conversation to another`;
      map.set(key, frame);
    }
  }
  return { between, generation, refusal };
}

/** The texts before, between and after the probes; null when one is missing, doubled, or out of order. */
function cutAtProbes(text: string, count: number): string[] | null {
  const cuts: string[] = [];
  let from = 0;
  for (let i = 0; i < count; i++) {
    const at = text.indexOf(probe(i), from);
    if (at === -1 || text.indexOf(probe(i)) !== at || text.lastIndexOf(probe(i)) !== at) return null;
    cuts.push(text.slice(from, at));
    from = at + probe(i).length;
  }
  return [...cuts, text.slice(from)];
}

function readStrips(shapes: Role[][], renderings: Rendering[], frames: Omit<TemplateFrames, 'strips'>): TemplateFrames['strips'] {
  const strips = new Map<string, { start: boolean; end: boolean }>();
  for (const [index, shape] of shapes.entries()) {
    const rendering = renderings[index] as Rendering;
    if ('refused' in rendering) continue;
    const cuts = cutAtProbes(rendering.text, shape.length);
    for (const [i, role] of shape.entries()) {
      const [before, after] = [cuts?.[i] ?? '', cuts?.[i + 1] ?? ''];
      const frameAfter = i + 1 < shape.length ? frames.between.get(`${role}>${shape[i + 1]}`) : frames.generation.get(role);
      const found = {
        start: !before.endsWith(`${frames.between.get(`${shape[i - 1] ?? ''}>${role}`)} \n`),
        end: !after.startsWith(`\n ${frameAfter?.slice(0, 1) ?? ''}`),
      };
      const known = strips.get(role);
      if (!cuts || (known && (known.start !== found.start || known.end !== found.end))) {
        throw inputError(
          `the model's chat template treats white space around ${role} contents differently from one conversation to another. Put a plain chat_template.jinja into the model's folder.`,
        );
      }
      strips.set(role, found);
    }
  }
  return strips;
}
