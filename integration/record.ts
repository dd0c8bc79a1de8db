/** What is kept of a proof, and docs/INTEGRATION.md, which is made of all that is kept. */

export interface ProofRecord {
  name: string;
  date: string;
  /** `holds`, or how it failed. */
  outcome: string;
  seconds: number;
  /** Machine, Node, this program's version and commit. */
  machine: string;
  versions: Record<string, string>;
  /** What it said, a line each. */
  lines: string[];
}

/** A line that is a name and a version, and nothing else, tells what the proof ran against. */
export function versionIn(line: string): Record<string, string> | null {
  const [, name, version] = /^([\w.-]+) +(\d+(?:\.\d+)+\S*(?: \([^)]*\))?)$/.exec(line.trim()) ?? [];
  return name === undefined || version === undefined ? null : { [name]: version };
}

const head = `# Integration

Written by \`npm run integration -- NAME\`, not by hand. Each proof installs the real software into \`.cache\` and runs it (the head of \`integration/NAME.sh\` or \`NAME.py\` says what that needs), prints one line for each thing that holds, and ends with exit code 1 when one does not.

\`\`\`
npm run integration -- --help
npm run integration -- llama
PEERS_PYTHON=venv/bin/python npm run integration -- trl-grpo      with libraries that are there
\`\`\``;

const minutes = (seconds: number): string => (seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`);

/** The whole page. A proof without a record is named all the same. */
export function indexPage(proofs: readonly { name: string; text: string }[], records: ReadonlyMap<string, ProofRecord>): string {
  const row = ({ name, text }: { name: string; text: string }) => {
    const kept = records.get(name);
    const versions = Object.entries(kept?.versions ?? {}).map(([what, version]) => `${what} ${version}`);
    return `| \`${name}\` | ${text} | ${kept === undefined ? 'not recorded' : `${kept.outcome}, ${kept.date}`} | ${versions.join(', ')} |`;
  };
  const section = ({ name }: { name: string }) => {
    const kept = records.get(name);
    if (kept === undefined) return [];
    const { outcome, lines, seconds, machine } = kept;
    return [`## ${name}: ${outcome}`, ['```', ...lines, '```'].join('\n'), `${minutes(seconds)}. ${machine}.`];
  };
  const table = ['| proof | what | outcome | versions |', '| --- | --- | --- | --- |', ...proofs.map(row)].join('\n');
  return `${[head, table, ...proofs.flatMap(section)].join('\n\n')}\n`;
}
