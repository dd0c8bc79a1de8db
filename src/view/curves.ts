/** Learning curves out of the metrics of every training. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Curve {
  stage: 'sft' | 'rl';
  metric: string;
  arm: string;
  /** [step, value], by step. */
  points: [number, number][];
}

/** What is worth a curve, in the order of the page; metrics that are not here are in the file. */
const shown = {
  sft: ['loss', 'cotLoss', 'answerLoss', 'gradNorm'],
  rl: ['reward', 'policyReward', 'helpfulReward', 'validationScore', 'refusalRate', 'kl', 'meanTokens', 'malformed', 'unscored', 'loss'],
} as const;
/** More points than this are not seen on a screen. */
const mostPoints = 600;

export async function readCurves(root: string): Promise<{ curves: Curve[]; alarms: { arm: string; step: number; text: string }[] }> {
  const curves: Curve[] = [];
  const alarms: { arm: string; step: number; text: string }[] = [];
  const arms = await readdir(path.join(root, 'arms')).catch(() => [] as string[]);
  for (const stage of ['sft', 'rl'] as const) {
    for (const arm of arms.sort()) {
      // A resumed training writes a step again; the later line holds.
      const steps = new Map<number, Record<string, unknown>>();
      for (const record of await jsonLines(path.join(root, 'arms', arm, stage, 'metrics.jsonl')))
        if (typeof record['step'] === 'number') steps.set(record['step'], record);
      const sorted = [...steps].sort(([a], [b]) => a - b);
      for (const [step, record] of sorted)
        if (Array.isArray(record['alarms'])) for (const text of record['alarms']) alarms.push({ arm, step, text: String(text) });
      for (const metric of shown[stage]) {
        const points = sorted.flatMap(([step, record]): [number, number][] => {
          const value = record[metric];
          return typeof value === 'number' && Number.isFinite(value) ? [[step, value]] : [];
        });
        if (points.length > 0) curves.push({ stage, metric, arm, points: thin(points) });
      }
    }
  }
  return { curves, alarms };
}

function thin(points: [number, number][]): [number, number][] {
  if (points.length <= mostPoints) return points;
  return Array.from({ length: mostPoints }, (_, i) => points[Math.round((i * (points.length - 1)) / (mostPoints - 1))]!);
}

/** Objects of a JSONL file that may be written to at this moment: lines that are no JSON are left out. */
async function jsonLines(file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isRecord(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object';
