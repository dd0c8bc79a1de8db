/** Options that several commands have. */
import { Option } from 'commander';
import { runBudget } from '../align/spec/budget.js';
import { specParts } from '../align/spec/compile.js';

/** For options that may be repeated. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const setOption = (): Option => new Option('--set <setting=value>', 'change one setting; may be repeated').argParser(collect);

export const partsOption = (): Option =>
  new Option('--parts <parts>', 'clauses: clauses and styles alone, as the embedded reader sees them; all: as models on servers do')
    .choices(specParts)
    .default(runBudget.parts);
