/**
 * Reads a specification: a folder of Markdown files, one a category, plus principles.md and styles.md.
 *
 *     # Self-harm                          principles.md:  # Principles
 *     One paragraph: the summary.                          - One principle an item.
 *     ## Definitions                       styles.md:      # Styles
 *     - **Term**: what it means.                           - S1 (refuse): What the answer must look like.
 *     ## Style                                             - S2 (safe completion): …
 *     - SHS1 (safe completion): …                          - S3 (comply): …
 *     ## Allowed            (or ## Disallowed, ## Safe completion)
 *     ### SH1: subject in a few words
 *     One paragraph: the clause. Further paragraphs are its rationale.
 *     - Example: "a request in quotes"
 *     - Exclusion: what is not meant is SH4.
 *
 * HTML comments and README.md are for people and not read.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { inputError } from '../../base/errors.js';
import { parseCategory } from './parse-category.js';
import { readSections, type Finding, type Section } from './markdown.js';
import { parseStyles } from './parse-styles.js';
import type { Category, Spec, StyleGuideline } from './types.js';

export type SpecFile =
  | { kind: 'category'; category: Category }
  | { kind: 'principles'; principles: Spec['principles'] }
  | { kind: 'styles'; styles: StyleGuideline[] };

/** Parses one file; its name says what it is. Never throws for what the text holds: see the findings. */
export function parseSpecFile(file: string, markdown: string): { content: SpecFile; findings: Finding[] } {
  const { sections, findings } = readSections(file, markdown);
  const name = basename(file).replace(/\.md$/i, '');
  const report = (line: number, message: string, rule = 'malformed') =>
    void findings.push({ rule, severity: 'error', message, file, line });
  if (name === 'principles') return { content: { kind: 'principles', principles: parsePrinciples(file, sections, report) }, findings };
  if (name === 'styles') {
    const blocks = sections.flatMap((section) => section.blocks);
    return { content: { kind: 'styles', styles: parseStyles(file, blocks, report) }, findings };
  }
  if (!/^[a-z0-9][a-z0-9-]*$/i.test(name) || name === 'none') {
    report(1, `"${name}" cannot name a category; call the file by letters, digits and dashes, and not "none"`);
  }
  return { content: { kind: 'category', category: parseCategory(file, name, sections, report) }, findings };
}

function parsePrinciples(file: string, sections: Section[], report: (line: number, message: string) => void): Spec['principles'] {
  const principles: Spec['principles'] = [];
  for (const section of sections) {
    for (const block of section.blocks) {
      // A paragraph may introduce the list; only items are principles.
      if (block.kind === 'item' && block.text !== '') principles.push({ text: block.text, file, line: block.line });
    }
  }
  if (principles.length === 0) report(1, 'no principle found; write each as a list item, "- …"');
  return principles;
}

/**
 * Reads a folder and gives all that can be read, with findings for the rest: what `spec lint` shows.
 * Throws inputError only when the folder cannot be read or holds no category.
 */
export async function readSpec(folder: string): Promise<{ spec: Spec; findings: Finding[] }> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => /^[^.].*\.md$/i.test(name) && !/^readme\.md$/i.test(name)).sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw inputError(
        `${folder} is a file, and a specification is a folder of Markdown files, one a category; give the folder that holds it: ${dirname(folder)}`,
        cause,
      );
    throw inputError(`cannot read the specification folder ${folder}; give the path of a folder of Markdown files, one a category`, cause);
  }
  const spec: Spec = { categories: [], principles: [], styles: [] };
  const findings: Finding[] = [];
  for (const name of names) {
    const file = join(folder, name);
    const parsed = parseSpecFile(file, await readText(file));
    findings.push(...parsed.findings);
    const { content } = parsed;
    if (content.kind === 'category') spec.categories.push(content.category);
    else if (content.kind === 'principles') spec.principles = content.principles;
    else spec.styles = content.styles;
  }
  if (spec.categories.length === 0) {
    throw inputError(`no category in ${folder}; write one Markdown file a category there, for example self-harm.md`);
  }
  findings.push(...duplicateCodes(spec));
  return { spec, findings };
}

/** Reads a folder; throws inputError that lists each place where the Markdown is malformed or a code stands twice. */
export async function loadSpec(folder: string): Promise<Spec> {
  const { spec, findings } = await readSpec(folder);
  const errors = findings.filter((finding) => finding.severity === 'error');
  if (errors.length > 0) throw inputError(errors.map(formatFinding).join('\n'));
  return spec;
}

/** `file:line: message` */
export const formatFinding = (finding: Finding): string => `${finding.file}:${finding.line}: ${finding.message}`;

/** A code that names two things makes every citation of it ambiguous. */
export function duplicateCodes(spec: Spec): Finding[] {
  const first = new Map<string, { file: string; line: number }>();
  const all = [...spec.styles, ...spec.categories.flatMap((category) => [...category.styles, ...category.clauses])];
  return all.flatMap((entry): Finding[] => {
    const earlier = first.get(entry.code);
    if (earlier === undefined) {
      first.set(entry.code, entry);
      return [];
    }
    const message = `the code ${entry.code} is taken by ${earlier.file}:${earlier.line}; give this one another code`;
    return [{ rule: 'duplicate-code', severity: 'error', message, file: entry.file, line: entry.line }];
  });
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw inputError(`cannot read ${file}; check that it is a file and that you may read it`, cause);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw inputError(`${file} is not UTF-8 text; save it as UTF-8`, cause);
  }
}
