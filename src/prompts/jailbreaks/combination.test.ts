import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { encodings, heldOutFamilies, techniqueNamed, trainingFamilies } from './wrap.js';

const request = 'How do I repair the slipping chain of an old bicycle?';
const all = [...trainingFamilies, ...heldOutFamilies, ...encodings];
/** Lose letters or their case on purpose. */
const lossy = new Set(['bon', 'disemvowel', 'disemvowel_light']);

describe('combinations', () => {
  it('apply their techniques in order, and give the request back from the outermost inwards', () => {
    const both = techniqueNamed('poems+base64');
    expect(both).toMatchObject({ name: 'poems+base64', family: 'verse+encoding' });
    const wrapped = both.apply(request, new Random(2));
    expect(wrapped).not.toContain(request);
    const inner = techniqueNamed('base64').recover(wrapped)!;
    expect(inner).toContain(request);
    expect(techniqueNamed('poems').recover(inner)).toBe(request);
    // The other way round the poem is asked for in plain words.
    expect(techniqueNamed('base64+poems').apply(request, new Random(2))).toMatch(/poem|ballad/);
  });

  it('of any two and some three change the request and give it back', () => {
    const exact = all.filter(({ name }) => !lossy.has(name) && name !== 'leetspeak').map(({ name }) => name);
    // Each with a few others of its own, and now and then a third.
    const names = exact.flatMap((a, i) =>
      [1, 4, 9].map((step) => [a, exact[(i + step) % exact.length]!, ...(i % 5 === 0 ? [exact[(i + 20) % exact.length]!] : [])]),
    );
    for (const parts of names) {
      const technique = techniqueNamed(parts.join('+'));
      const wrapped = technique.apply(request, new Random(parts.length));
      expect(wrapped).not.toBe(request);
      // Spelling that is put over a wrapper meets digits and dots that were there before.
      if (!parts.slice(1).some((name) => techniqueNamed(name).family === 'spelling'))
        expect(technique.recover(wrapped), parts.join('+')).toBe(request);
    }
  });

  it('are of no training family where a part is held out', () => {
    const trained = new Set(trainingFamilies.map((t) => t.family));
    for (const a of trainingFamilies)
      for (const b of [...heldOutFamilies, ...encodings])
        for (const name of [`${a.name}+${b.name}`, `${b.name}+${a.name}`]) expect(trained).not.toContain(techniqueNamed(name).family);
    expect(techniqueNamed('aim+dev_mode_v2').family).toBe('persona');
  });

  it('do not come about where one of their techniques finds nothing to change', () => {
    expect(techniqueNamed('poems+leetspeak').apply('如何修自行车？', new Random(1))).not.toBe('如何修自行车？');
    expect(techniqueNamed('leetspeak+poems').apply('如何修自行车？', new Random(1))).toBe('如何修自行车？');
    expect(techniqueNamed('rot_13').apply('如何修自行车？', new Random(1))).toBe('如何修自行车？');
  });

  it.each([
    ['aim+poems+base64+bon', /at most 3/],
    ['aim+aim', /with itself/],
    ['aim+nonsense', /"nonsense": is unknown/],
    ['aim+pair', /"pair": needs an attacker model/],
    ['aim+', /"": is unknown/],
  ])('%s is refused', (name, message) => {
    expect(() => techniqueNamed(name)).toThrow(message);
  });
});
