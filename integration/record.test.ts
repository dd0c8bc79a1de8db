import { describe, expect, it } from 'vitest';
import { indexPage, type ProofRecord, versionIn } from './record.js';

const kept: ProofRecord = {
  name: 'boat',
  date: '2026-01-02',
  outcome: 'failed (exit code 1)',
  seconds: 200,
  machine: 'A machine',
  versions: { torch: '2.15.0' },
  lines: ['ok      it floats', 'FAILED  it sails'],
};

describe('the record of proofs', () => {
  it('takes versions from lines that hold nothing else', () => {
    expect(versionIn('torch 2.15.0')).toEqual({ torch: '2.15.0' });
    expect(versionIn('jax               0.10.1')).toEqual({ jax: '0.10.1' });
    expect(versionIn('llama.cpp 0.5.0-dev (build 1, commit 0c1e570)')).toEqual({ 'llama.cpp': '0.5.0-dev (build 1, commit 0c1e570)' });
    for (const line of ['ok      16 of 16 tokens', 'mean 3', 'step 1.5 of 2.0', '']) expect(versionIn(line)).toBeNull();
  });

  it('shows what failed, and names what was never recorded', () => {
    const page = indexPage(
      [
        { name: 'boat', text: 'A boat floats.' },
        { name: 'raft', text: 'A raft does.' },
      ],
      new Map([['boat', kept]]),
    );
    expect(page).toContain('| `boat` | A boat floats. | failed (exit code 1), 2026-01-02 | torch 2.15.0 |');
    expect(page).toContain('| `raft` | A raft does. | not recorded |  |');
    expect(page).toContain('## boat: failed (exit code 1)\n\n```\nok      it floats\nFAILED  it sails\n```\n\n3 min. A machine.');
    expect(page).not.toContain('## raft');
  });
});
