/** Learning curves out of the metrics of every training. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { niceTicks } from '../report/charts.js';
import { metricTitle, shownMetrics } from '../report/metrics.js';

/** One metric of a stage, a line an arm. */
export interface Chart {
  stage: 'sft' | 'rl';
  title: string;
  /** Of the values, the lowest first. */
  ticks: number[];
  curves: Curve[];
}

interface Curve {
  arm: string;
  /** [step, value], by step; at least one. */
  points: [number, number][];
}

/** More points than this are not seen on a screen. */
const mostPoints = 600;

/** Files that are missing or torn are no error: the run may be writing them. */
export async function readCharts(root: string): Promise<{ charts: Chart[]; alarms: { arm: string; step: number; text: string }[] }> {
  const charts: Chart[] = [];
  const alarms: { arm: string; step: number; text: string }[] = [];
  const arms = await readdir(path.join(root, 'arms')).catch(() => [] as string[]);
  for (const stage of ['sft', 'rl'] as const) {
    const curvesOf = new Map(shownMetrics(stage).map((metric): [string, Curve[]] => [metric, []]));
    for (const arm of arms.sort()) {
      // A resumed training writes a step again; the later line holds.
      const steps = new Map<number, Record<string, unknown>>();
      for (const record of await jsonLines(path.join(root, 'arms', arm, stage, 'metrics.jsonl')))
        if (typeof record['step'] === 'number') steps.set(record['step'], record);
      const sorted = [...steps].sort(([a], [b]) => a - b);
      for (const [step, record] of sorted)
        if (Array.isArray(record['alarms'])) for (const text of record['alarms']) alarms.push({ arm, step, text: String(text) });
      for (const [metric, curves] of curvesOf) {
        const points = sorted.flatMap(([step, record]): [number, number][] => {
          const value = record[metric];
          return typeof value === 'number' && Number.isFinite(value) ? [[step, value]] : [];
        });
        if (points.length > 0) curves.push({ arm, points: thin(points) });
      }
    }
    for (const [metric, curves] of curvesOf) {
      if (curves.length === 0) continue;
      const values = curves.flatMap(({ points }) => points.map(([, value]) => value));
      charts.push({ stage, title: metricTitle(stage, metric), ticks: niceTicks(Math.min(...values), Math.max(...values)), curves });
    }
  }
  return { charts, alarms };
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
