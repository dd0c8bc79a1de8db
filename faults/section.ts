/** What every section of the fault suite is given, and what it gives back. */
import { fileURLToPath } from 'node:url';

export interface FaultOptions {
  /** Of everything random; a failure names the seed that shows it again. */
  seed: number;
  /** How many times a fault is injected, as a factor of the full number. */
  scale: number;
  /** For temporary files; removed at the end. */
  home: string;
  say: (line: string) => void;
  /** Only this case, to see a failure again. */
  only?: string;
}

export interface Figures {
  /** One line of docs/RELIABILITY.md each. */
  lines: string[];
  /** Each says what went wrong and how to see it again. Empty: the section holds. */
  failures: string[];
}

/** A number of injections, at least one. */
export const times = (full: number, { scale }: Pick<FaultOptions, 'scale'>): number => Math.max(1, Math.round(full * scale));

/** A compiled program of this folder, for a process of its own; tests run from sources, beside dist. */
export const compiled = (name: string): string =>
  fileURLToPath(new URL(`${import.meta.url.endsWith('.ts') ? '../dist/faults' : '.'}/${name}.js`, import.meta.url));
