/** What every stage is given. */
import { contentId, type Prompt } from '../base/records.js';
import type { Config } from '../base/config.js';
import type { Progress } from '../base/progress.js';
import type { RunPaths } from '../base/run-folder.js';
import type { Workbench } from '../engines/workbench.js';
import type { OwnParts } from './own.js';
import type { CompiledSpecs } from './compiled-specs.js';

export interface StageContext {
  paths: RunPaths;
  config: Config;
  specs: CompiledSpecs;
  bench: Workbench;
  progress: Progress;
  /** What the caller brings instead of ours. */
  own?: OwnParts;
  signal?: AbortSignal;
}

/** A seed for one request, from what it is about: independent of order and of what was done before. */
export const seedFrom = (...parts: unknown[]): number => Number.parseInt(contentId('seed', ...parts).slice(0, 7), 16);

/** Ordinary help, of which no policy speaks: capability data, and helpfulness in RL. */
export const isOrdinary = (prompt: Prompt): boolean => prompt.tags.includes('ordinary');

/** The prompt's category; `none` only where somebody said so. */
export const categoryOf = (prompt: Prompt): string => prompt.category ?? 'none';

/** The same items, those of one category next to each other, else in their order. */
export const byCategory = <T>(items: readonly T[], of: (item: T) => string): T[] =>
  [...items].sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
