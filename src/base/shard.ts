/** A part of a run's prompts that one machine of several works on. */
import { inputError } from './errors.js';
import { contentId } from './records.js';

export interface Shard {
  /** From 1. */
  index: number;
  of: number;
}

/** Far more than anybody has machines. */
const most = 10_000;

/** From `2/5`: the second of five. @throws input error for anything else */
export function parseShard(text: string): Shard {
  const [, index = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (index < 1 || index > of || of > most)
    throw inputError(`shard ${text}: write it as i/n with i from 1 to n, for example 2/5 for the second of five.`);
  return { index, of };
}

export const shardText = ({ index, of }: Shard): string => `${index}/${of}`;

/**
 * The number, from 1, of the shard that a request belongs to with all its variants: a hash of its id, so that every machine says the
 * same and another prompt changes nothing for the others.
 */
export const shardOf = (request: string, of: number): number => 1 + (Number.parseInt(contentId('shard', request).slice(0, 12), 16) % of);
