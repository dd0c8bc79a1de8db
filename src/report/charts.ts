/** Charts as inline SVG, made here and not in the browser: the page runs no script. */
import { rate, type Scorecard } from '../evals/scorecard.js';
import type { Curve, FunnelStep } from './data.js';
import { html, px, type Html } from './html.js';
import { metricTitle } from './metrics.js';
import { inWords } from './words.js';

/** Jailbreak resistance (y) against not over-refusing (x): up and to the right is better. Null without both suites. */
export function paretoPlot(card: Scorecard): Html | null {
  const points = card.arms.flatMap((arm, index) => {
    const find = (suite: string) => card.results.find((r) => r.arm === arm && r.suite === suite);
    const [x, y] = [find('benign-twins'), find('forbidden-jailbreaks')];
    if (x?.estimate == null || y?.estimate == null) return [];
    return [{ arm, index, x: x.estimate, xLow: x.low!, xHigh: x.high!, y: y.estimate, yLow: y.low!, yHigh: y.high! }];
  });
  if (points.length === 0) return null;
  const [left, top, side] = [58, 14, 400];
  const x = (value: number) => px(left + side * value);
  const y = (value: number) => px(top + side * (1 - value));
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const labels = spreadLabels(
    points.map((p) => top + side * (1 - p.y)),
    points.map((p) => left + side * p.x),
    top + side / 2,
  );
  return html`<svg class="chart pareto" viewBox="0 0 584 470" role="img" aria-label="Jailbreak resistance against not over-refusing, one point an arm">
    ${ticks.map(
      (
        t,
      ) => html`<line class="grid" x1="${x(0)}" x2="${x(1)}" y1="${y(t)}" y2="${y(t)}" /><line class="grid" x1="${x(t)}" x2="${x(t)}" y1="${y(0)}" y2="${y(1)}" />
        <text class="tick" x="${left - 8}" y="${y(t)}" dy=".35em" text-anchor="end">${rate(t)}</text><text class="tick" x="${x(t)}" y="${top + side + 18}" text-anchor="middle">${rate(t)}</text>`,
    )}
    <text class="label" x="${x(0.5)}" y="${top + side + 44}" text-anchor="middle">answers benign twins →</text>
    <text class="label" transform="translate(14 ${y(0.5)}) rotate(-90)" text-anchor="middle">resists the worst jailbreaks (goodness@0.1) →</text>
    ${points.map(
      (p, i) => html`<g class="arm-${p.index}">
        <title>${`${p.arm}: answers ${rate(p.x)} [${rate(p.xLow)}, ${rate(p.xHigh)}], resists ${rate(p.y)} [${rate(p.yLow)}, ${rate(p.yHigh)}]`}</title>
        <line class="error" x1="${x(p.xLow)}" x2="${x(p.xHigh)}" y1="${y(p.y)}" y2="${y(p.y)}" /><line class="error" x1="${x(p.x)}" x2="${x(p.x)}" y1="${y(p.yLow)}" y2="${y(p.yHigh)}" />
        <circle cx="${x(p.x)}" cy="${y(p.y)}" r="6.5" />
        <text class="name" x="${px(left + side * p.x + 11)}" y="${px(labels[i]!)}" dy="-.55em">${p.arm}</text>
      </g>`,
    )}
  </svg>`;
}

/** Heights of labels so that neighbours stay 16 apart. They give way towards the middle: at the edges is no room. */
function spreadLabels(heights: readonly number[], lefts: readonly number[], middle: number): number[] {
  const placed: { at: number; left: number }[] = [];
  const result = [...heights];
  const order = heights.map((_, i) => i).sort((a, b) => Math.abs(heights[b]! - middle) - Math.abs(heights[a]! - middle));
  for (const i of order) {
    const step = heights[i]! > middle ? -16 : 16;
    let at = heights[i]!;
    while (placed.some((other) => Math.abs(other.left - lefts[i]!) < 110 && Math.abs(other.at - at) < 16)) at += step;
    placed.push({ at, left: lefts[i]! });
    result[i] = at;
  }
  return result;
}

/** One small chart a metric, one line an arm. */
export function curveCharts(given: readonly Curve[], arms: readonly string[]): Html {
  const curves = given.filter((curve) => curve.points.some((point) => Number.isFinite(point.value)));
  const keys = [...new Set(curves.map((curve) => `${curve.stage} ${curve.metric}`))];
  return html`<div class="multiples">${keys.map((key) => {
    const own = curves.filter((curve) => `${curve.stage} ${curve.metric}` === key);
    return curveChart(own[0]!, own, arms);
  })}</div>`;
}

function curveChart({ stage, metric }: Curve, curves: readonly Curve[], arms: readonly string[]): Html {
  const [left, right, top, bottom] = [44, 306, 12, 140];
  const all = curves.flatMap((curve) => curve.points).filter((point) => Number.isFinite(point.value));
  const [lastStep, firstStep] = [Math.max(...all.map((p) => p.step)), Math.min(...all.map((p) => p.step))];
  const ticks = niceTicks(Math.min(...all.map((p) => p.value)), Math.max(...all.map((p) => p.value)));
  const [lowest, highest] = [ticks[0]!, ticks.at(-1)!];
  const x = (step: number) => px(left + ((right - left) * (step - firstStep)) / Math.max(1, lastStep - firstStep));
  const y = (value: number) => px(bottom - ((bottom - top) * (value - lowest)) / (highest - lowest));
  const title = metricTitle(stage, metric);
  return html`<figure><figcaption><b>${title}</b> <span>${stage.toUpperCase()}</span></figcaption>
    <svg class="chart" viewBox="0 0 320 166" role="img" aria-label="${title} in ${stage.toUpperCase()} by step">
      ${ticks.map((t) => html`<line class="grid" x1="${left}" x2="${right}" y1="${y(t)}" y2="${y(t)}" /><text class="tick" x="${left - 6}" y="${y(t)}" dy=".35em" text-anchor="end">${tickText(t, ticks)}</text>`)}
      <text class="tick" x="${left}" y="${bottom + 18}">${firstStep}</text><text class="tick" x="${right}" y="${bottom + 18}" text-anchor="end">step ${lastStep}</text>
      ${curves.map((curve) => {
        const points = curve.points.filter((point) => Number.isFinite(point.value));
        const index = Math.max(0, arms.indexOf(curve.arm));
        const path = points.map((point) => `${x(point.step)},${y(point.value)}`).join(' ');
        const last = points.at(-1);
        return html`<g class="arm-${index}"><title>${`${curve.arm}: ${last === undefined ? 'no points' : `${tickText(last.value, ticks)} at step ${last.step}`}`}</title><polyline class="curve" points="${path}" />${
          last !== undefined && html`<circle cx="${x(last.step)}" cy="${y(last.value)}" r="3" />`
        }</g>`;
      })}
    </svg></figure>`;
}

/** Three to six round numbers from at or below `low` to at or above `high`. Where all is 0 they go up to 1. */
export function niceTicks(low: number, high: number): number[] {
  if (low === 0 && high === 0) high = 1;
  if (!(high > low)) [low, high] = [low - (Math.abs(low) || 1) / 2, low + (Math.abs(low) || 1) / 2];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((m) => m * power >= rough * (1 - 1e-9)) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function tickText(value: number, ticks: readonly number[]): string {
  const step = Math.abs(ticks[1]! - ticks[0]!);
  if (step < 1e-4 || Math.abs(value) >= 1e6) return value === 0 ? '0' : value.toExponential(1);
  const decimals = Math.max(0, Math.ceil(-Math.log10(step)));
  return value.toFixed(Number.isInteger(Number((step * 10 ** decimals).toFixed(6))) ? decimals : decimals + 1);
}

/** Bars from what was asked to what was learnt from. */
export function funnelChart(steps: readonly FunnelStep[]): Html {
  const most = Math.max(1, ...steps.map((step) => step.count));
  return html`<ol class="funnel">${steps.map((step, i) => {
    const before = steps[i - 1]?.count;
    const kept =
      before !== undefined && before > 0 && step.count <= before ? `${Math.round((100 * step.count) / before)} % of the step before` : '';
    return html`<li><span class="step">${step.title}</span><span class="count">${step.count.toLocaleString('en')}</span>
      <svg viewBox="0 0 400 10" preserveAspectRatio="none" aria-hidden="true"><rect width="${px((400 * step.count) / most)}" height="10" rx="2" /></svg>
      <small>${[kept, inWords(step.note ?? '')].filter(Boolean).join(' · ')}</small></li>`;
  })}</ol>`;
}
