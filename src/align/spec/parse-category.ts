import type { ResponseKind } from '../../base/records.js';
import type { Section } from './markdown.js';
import { codePattern, parseStyles, type Report } from './parse-styles.js';
import type { Category, Clause } from './types.js';

const rulings: Record<string, ResponseKind> = {
  allowed: 'comply',
  disallowed: 'refuse',
  'safe completion': 'safe-complete',
  'requires safe completion': 'safe-complete',
};

/** A category from the sections of its file. What is malformed is reported and left out. */
export function parseCategory(file: string, name: string, sections: readonly Section[], report: Report): Category {
  const category: Category = { name, title: '', summary: '', definitions: [], clauses: [], styles: [], file, line: 1 };
  let place: 'top' | 'definitions' | 'style' | ResponseKind | 'unknown' = 'top';
  for (const section of sections) {
    const heading = section.heading.toLowerCase().replace(/-/g, ' ');
    if (section.depth === 0) {
      report(section.line, 'text before the title; begin the file with "# Title of the category"');
    } else if (section.depth === 1) {
      if (category.title !== '') {
        report(section.line, 'a second title; one file holds one category, so move this into a file of its own or write "##"');
        continue;
      }
      place = 'top';
      category.title = section.heading;
      category.line = section.line;
      readSummary(category, section, report);
    } else if (section.depth === 2) {
      if (heading === 'definitions') {
        place = 'definitions';
        readDefinitions(category, section, report);
      } else if (heading === 'style' || heading === 'styles') {
        place = 'style';
        category.styles.push(...parseStyles(file, section.blocks, report));
      } else if (rulings[heading] !== undefined) {
        place = rulings[heading];
        for (const block of section.blocks) {
          if (block.kind === 'item') report(block.line, 'a list item before any clause; begin a clause with "### CODE: subject"');
        }
      } else {
        place = 'unknown';
        report(section.line, `unknown section "${section.heading}"; write Definitions, Style, Allowed, Disallowed or Safe completion`);
      }
    } else if (section.depth === 3 && (place === 'comply' || place === 'refuse' || place === 'safe-complete')) {
      const clause = readClause(file, place, section, report);
      if (clause !== null) category.clauses.push(clause);
    } else if (place !== 'unknown') {
      report(
        section.line,
        `"${section.heading}" stands outside Allowed, Disallowed and Safe completion; move it under one, as "### CODE: subject"`,
      );
    }
  }
  if (category.title === '') report(1, 'no title; begin the file with "# Title of the category"');
  return category;
}

function readSummary(category: Category, section: Section, report: Report): void {
  // Only the first paragraph is the summary; more paragraphs may introduce the policy to people.
  const first = section.blocks[0];
  if (first?.kind !== 'paragraph') {
    report(section.line, 'no summary; write one paragraph under the title that says what this policy covers', 'no-summary');
  } else {
    category.summary = first.text;
  }
}

function readDefinitions(category: Category, section: Section, report: Report): void {
  for (const { kind, text: whole, lead, line } of section.blocks) {
    if (kind === 'paragraph') continue;
    const term = lead?.replace(/:$/, '').trim() ?? '';
    const text = whole
      .slice(lead?.length ?? 0)
      .replace(/^\s*[:–—-]\s*/, '')
      .trim();
    if (term === '' || text === '') report(line, 'this is no definition; write "- **Term**: what it means."');
    else category.definitions.push({ term, text, line });
  }
}

function readClause(file: string, ruling: ResponseKind, section: Section, report: Report): Clause | null {
  const match = new RegExp(`^(${codePattern}):\\s*(.+)$`).exec(section.heading);
  if (match === null) {
    report(
      section.line,
      `the clause "${section.heading}" has no code; write "### CODE: subject", the code being a capital letter and then letters, digits or dashes`,
      'missing-code',
    );
    return null;
  }
  const [code, subject] = [match[1] as string, (match[2] as string).trim()];
  if (/[:[\]]/.test(subject))
    report(section.line, `the subject of ${code} holds a colon or a square bracket; write it without, so that a citation can be read back`);
  const clause: Clause = { code, subject, ruling, text: '', examples: [], exclusions: [], file, line: section.line };
  const rationale: string[] = [];
  for (const { kind, text, line } of section.blocks) {
    if (kind === 'paragraph') {
      if (clause.text === '') clause.text = text;
      else rationale.push(text);
      continue;
    }
    const item = /^(example|exclusion)s?:\s*(.+)$/i.exec(text);
    if (item === null) {
      report(line, 'a list item of a clause must begin with "Example:" or "Exclusion:"; write the rest as a paragraph');
    } else if ((item[1] as string).toLowerCase() === 'example') {
      clause.examples.push({ text: (item[2] as string).replace(/^["“](.*)["”]\.?$/, '$1'), line });
    } else {
      clause.exclusions.push({ text: item[2] as string, line });
    }
  }
  if (clause.text === '') {
    report(section.line, `the clause ${code} says nothing; write a paragraph under its heading`);
    return null;
  }
  if (/[[\]]/.test(clause.text)) report(section.line, `square brackets are kept for codes; write the text of ${code} without them`);
  if (rationale.length > 0) clause.rationale = rationale.join(' ');
  return clause;
}
