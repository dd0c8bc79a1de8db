/** Small charts as SVG: one a metric, one line an arm. */
import { h, svg } from './dom.js';

/** @typedef {{arm: string, points: [number, number][]}} Curve */
/** @typedef {{stage: string, title: string, ticks: number[], curves: Curve[]}} Chart as src/view/curves.ts has it */

const box = { left: 46, right: 312, top: 10, bottom: 132 };

/** @param {number} value */
const short = (value) =>
  value === 0 ? '0' : Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));

/** @param {Chart[]} list @param {string[]} arms in the order of their colours */
export const charts = (list, arms) =>
  h(
    'div',
    { class: 'multiples' },
    list.map((one) => chart(one, arms)),
  );

/** @param {Chart} one @param {string[]} arms */
function chart({ stage, title, ticks, curves }, arms) {
  const all = curves.flatMap(({ points }) => points);
  const steps = all.map(([step]) => step);
  const [firstStep, lastStep] = [Math.min(...steps), Math.max(...steps)];
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  /** @param {number} step */
  const x = (step) =>
    lastStep === firstStep ? box.right : box.left + ((box.right - box.left) * (step - firstStep)) / (lastStep - firstStep);
  /** @param {number} value */
  const y = (value) => box.bottom - ((box.bottom - box.top) * (value - low)) / (high - low);
  const readout = h('output', {}, '');
  const cursor = svg('line', { class: 'cursor', y1: box.top, y2: box.bottom, x1: -9, x2: -9 });
  const picture = svg(
    'svg',
    {
      class: 'chart',
      viewBox: '0 0 320 158',
      role: 'img',
      'aria-label': `${title} by step; ${curves.map(({ arm, points }) => `${arm} ends at ${short(points.at(-1)?.[1] ?? 0)}`).join(', ')}`,
    },
    ticks.map((t) => [
      svg('line', { class: 'grid', x1: box.left, x2: box.right, y1: y(t), y2: y(t) }),
      svg('text', { class: 'tick', x: box.left - 6, y: y(t), dy: '.35em', 'text-anchor': 'end' }, short(t)),
    ]),
    lastStep > firstStep && svg('text', { class: 'tick', x: box.left, y: box.bottom + 17 }, firstStep),
    svg('text', { class: 'tick', x: box.right, y: box.bottom + 17, 'text-anchor': 'end' }, `step ${lastStep}`),
    cursor,
    curves.map(({ arm, points }) => {
      const last = points.at(-1) ?? [0, 0];
      return svg(
        'g',
        { class: `arm-${Math.max(0, arms.indexOf(arm)) % 8}` },
        svg('polyline', {
          class: 'curve',
          points: points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' '),
        }),
        svg('circle', { cx: x(last[0]), cy: y(last[1]), r: 3 }),
      );
    }),
  );
  picture.addEventListener('pointermove', (event) => {
    const bounds = picture.getBoundingClientRect();
    const at =
      firstStep +
      ((((/** @type {PointerEvent} */ (event).clientX - bounds.left) / bounds.width) * 320 - box.left) / (box.right - box.left)) *
        (lastStep - firstStep);
    const nearest = steps.reduce((best, step) => (Math.abs(step - at) < Math.abs(best - at) ? step : best), lastStep);
    cursor.setAttribute('x1', String(x(nearest)));
    cursor.setAttribute('x2', String(x(nearest)));
    const here = curves.flatMap(({ arm, points }) =>
      points.filter(([step]) => step === nearest).map(([, value]) => (curves.length > 1 ? `${arm} ${short(value)}` : short(value))),
    );
    readout.textContent = `step ${nearest}: ${here.join(', ')}`;
  });
  picture.addEventListener('pointerleave', () => {
    readout.textContent = '';
    cursor.setAttribute('x1', '-9');
    cursor.setAttribute('x2', '-9');
  });
  return h('figure', {}, h('figcaption', {}, h('b', {}, title), ' ', h('span', {}, stage.toUpperCase()), readout), picture);
}
