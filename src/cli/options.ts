/** Options that several commands have. */
import { Option } from 'commander';

/** For options that may be repeated. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const setOption = (): Option => new Option('--set <setting=value>', 'change one setting; may be repeated').argParser(collect);
