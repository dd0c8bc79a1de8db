import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../base/package-root.js';
import { studyCsv, StudyCard } from './results.js';

describe('study.csv', () => {
  it('holds targets and published numbers as well, each line as many cells, texts no formulas', async () => {
    const text = await readFile(path.join(packageRoot, 'results', 'wider', 'study.json'), 'utf8');
    const card = StudyCard.parse(JSON.parse(text));
    const [header, ...lines] = studyCsv(card).trim().split('\n');
    const width = (line: string) => line.replace(/"(?:[^"]|"")*"/g, '').split(',').length;
    expect(new Set(lines.map(width))).toEqual(new Set([width(header!)]));
    const targets = lines.filter((line) => line.startsWith('targets,'));
    expect(targets).toHaveLength(card.targets.length);
    for (const line of targets) expect(line).toMatch(/,(met|missed|not measured)$/);
    const published = lines.filter((line) => line.startsWith('published,'));
    expect(published).toHaveLength(card.published.table.rows.length * card.published.table.columns.length + card.published.others.length);
    for (const line of published) expect(line).toContain('other prompts');
    const relative = { name: 'x', against: 'y', wanted: '≥', measured: { estimate: 0.5, text: '+50 %' }, met: true };
    expect(studyCsv({ ...card, studies: [], targets: [relative] })).toContain("\ntargets,Targets,x,y,0.5,,,,,,'+50 %,≥,met\n");
  });
});
