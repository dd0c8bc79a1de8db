/** What a run with the default settings shows its models of a category: `spec show` and `spec lint` take the same unless told otherwise. */
import { parseConfig, type Config } from '../../base/config.js';
import type { SpecParts } from './compile.js';

/** The embedded reader was trained on clauses alone (recipes/reasoner); large models gain from the rest. */
export const partsOf = ({ specParts }: Pick<Config['generate'], 'specParts'>, layout: 'shared' | 'paper'): SpecParts =>
  specParts ?? (layout === 'shared' ? 'clauses' : 'all');

const { generate } = parseConfig({}, 'defaults');
export const runBudget: { maxTokens: number; parts: SpecParts } = { maxTokens: generate.specTokens, parts: partsOf(generate, 'shared') };
