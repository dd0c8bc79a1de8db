/** The benchmark's table: our median, each peer's, the ratio, and the bar that the ratio should pass. */
import { median, type Measurement, sizes } from './workload.js';

const bars: { section: string; batches?: number[]; who: RegExp; atLeast: number }[] = [
  { section: 'sft', who: /f32/, atLeast: 3 },
  { section: 'sft', who: /bf16/, atLeast: 1.8 },
  { section: 'decode', batches: [32, 64], who: /llama\.cpp/, atLeast: 1.3 },
  { section: 'grpo', who: /TRL/, atLeast: 3 },
];

export function describeWork({ section, batch }: Measurement): string {
  const { sft, decode, prefix, grpo } = sizes;
  switch (section) {
    case 'sft':
      return `LoRA SFT step, ${sft.sequences} × ${sft.length} tokens`;
    case 'decode':
      return `decode, context ${decode.context}, batch ${batch}`;
    case 'prefix':
      return `decode behind a shared prefix of ${prefix.prefix}, batch ${batch}`;
    case 'grpo':
      return `GRPO step, ${grpo.prompts} prompts × ${grpo.samples} samples × ${grpo.newTokens} tokens`;
  }
}

/** How many times as fast as the peer we are. */
export function ratio(ours: Measurement, peer: Measurement): number {
  const [a, b] = [median(ours.values), median(peer.values)];
  return ours.unit === 's' ? b / a : a / b;
}

function figure({ values, unit, peakGb }: Measurement): string {
  const digits = median(values) < 100 ? 1 : 0;
  const spread = `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;
  return `${median(values).toFixed(digits)} ${unit} (${spread})${peakGb === undefined ? '' : `, ${peakGb.toFixed(1)} GB`}`;
}

export function table(measurements: readonly Measurement[]): string {
  const rows: string[][] = [];
  for (const ours of measurements.filter(({ who }) => who === 'deliberate')) {
    rows.push([describeWork(ours), figure(ours), '', '', '']);
    for (const peer of measurements) {
      if (peer.who === 'deliberate' || peer.section !== ours.section || peer.batch !== ours.batch) continue;
      const times = ratio(ours, peer);
      const bar = bars.find((b) => b.section === ours.section && b.who.test(peer.who) && (b.batches?.includes(ours.batch ?? 0) ?? true));
      const verdict = bar ? `${times >= bar.atLeast ? 'passes' : 'misses'} ≥ ${bar.atLeast}×` : '';
      rows.push(['', '', `${peer.who}: ${figure(peer)}`, `${times.toFixed(2)}×`, verdict]);
    }
  }
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
