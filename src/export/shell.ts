/** A launch script for people who read it before they run it. */

export interface Script {
  intro: readonly string[];
  /** Default of MODEL. */
  model: string;
  command: string;
  /** May name ${MODEL}, ${GPUS}, ${HERE}, ${OUT}. */
  flags: readonly string[];
}

/** Single quotes are the only thing that a POSIX shell reads literally. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const shell = ({ intro, model, command, flags }: Script): string => `#!/usr/bin/env bash
${intro.map((line) => `# ${line}`).join('\n')}
# DELIBERATE_JUDGE_URL says where the judge is, DELIBERATE_API_KEY is its key; both are optional.
set -euo pipefail
HERE="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"
DEFAULT_MODEL=${quoted(model)}
MODEL="\${MODEL:-$DEFAULT_MODEL}"
GPUS="\${GPUS:-1}"
OUT="\${OUT:-$HERE/out}"

${command} \\
${flags.map((flag) => `  ${flag.replace(/\$\{\w+\}[^ ]*/g, (value) => `"${value}"`)} \\`).join('\n')}
  "$@"
`;
