/** The report's style sheet. Colours of arms are told apart by people who are colour-blind as well (after Okabe and Ito). */
const armColours = {
  light: ['#6b7280', '#b45309', '#7c3aed', '#0369a1', '#be185d', '#047857', '#92400e', '#4d7c0f'],
  dark: ['#9ca3af', '#f0a95b', '#b79cf7', '#63b8ea', '#f286b5', '#4cc79a', '#d9a066', '#a9cf5f'],
};
const arms = (colours: readonly string[]) => colours.map((colour, i) => `--arm-${i}:${colour};`).join('');

export const style = `
:root{color-scheme:light dark;--paper:#fcfbf8;--card:#fff;--ink:#1c1b1a;--soft:#67635d;--line:#e4e0d8;--grid:#ece8e0;--up:#047857;--down:#b42318;
--exact:#d7f0e3;--exact-line:#3d9a72;--inexact:#fbecc8;--inexact-line:#c58a10;--unknown:#fbdcd7;--unknown-line:#c9493a;${arms(armColours.light)}}
@media (prefers-color-scheme:dark){:root{--paper:#141517;--card:#1b1d20;--ink:#e9e7e3;--soft:#a19d96;--line:#303338;--grid:#26292d;--up:#4cc79a;--down:#f38b7d;
--exact:#173a2c;--exact-line:#4cc79a;--inexact:#3d3216;--inexact-line:#dcae4a;--unknown:#44211d;--unknown-line:#f38b7d;${arms(armColours.dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%;overflow-wrap:break-word}
main{max-width:1080px;margin:0 auto;padding:44px 28px 80px}
h1,h2,.lead{font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif;text-wrap:balance}
h1{font-size:2.1rem;line-height:1.15;margin:.1em 0 .35em;font-weight:600;letter-spacing:-.01em}
h2{font-size:1.35rem;margin:2.6em 0 .5em;font-weight:600}
.eyebrow{margin:0;color:var(--soft);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
.lead{font-size:1.28rem;line-height:1.45;max-width:46em;margin:0 0 1em;text-wrap:pretty}
.note{color:var(--soft);font-size:.86rem;max-width:62em;margin:.6em 0}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--soft);font-size:.86rem;margin:.4em 0 1em}
small{font-size:.78rem;color:var(--soft)}
.up{color:var(--up)}.down{color:var(--down)}.warn{display:block;color:var(--down)}.none{color:var(--soft)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px;background:var(--card)}
table.scores{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.scores th,.scores td{padding:8px 14px;text-align:left;vertical-align:top;font-weight:400}
.scores thead th{font-size:.88rem;font-weight:600;white-space:nowrap;border-bottom:1px solid var(--line);vertical-align:bottom}
.scores tbody tr:not(.group){border-top:1px solid var(--grid)}
.scores tbody tr.group+tr{border-top:0}
.scores .group th{padding-top:16px;padding-bottom:2px;color:var(--soft);font-size:.74rem;letter-spacing:.08em;text-transform:uppercase}
.scores th[scope=row]{min-width:200px;position:sticky;left:0;background:var(--card);font-weight:500}
.scores th small{display:block;font-weight:400;line-height:1.35}
.scores td{white-space:nowrap;min-width:112px}
.rate{font-size:1.1rem;font-weight:600}.rate.weak{font-weight:400;color:var(--soft)}
.scores.published th,.scores.published td{padding:4px 14px}
.interval{margin-left:4px}
.dot{display:inline-block;width:.62em;height:.62em;border-radius:50%;margin-right:.45em;background:currentColor}
.bar{display:block;width:92px;height:8px;margin-top:3px;overflow:visible}
.bar .axis{stroke:var(--line);stroke-width:1}.bar .whisker{stroke:currentColor;stroke-width:2;stroke-linecap:round;opacity:.6}.bar circle{fill:currentColor}
.chart{display:block;width:100%;height:auto;font-family:inherit}
.chart .grid{stroke:var(--grid)}.chart text{fill:var(--ink)}.chart .tick{fill:var(--soft);font-size:11.5px;font-variant-numeric:tabular-nums}.chart .label{fill:var(--soft);font-size:13px}
.pareto{max-width:600px}.pareto circle{fill:currentColor;stroke:var(--card);stroke-width:2}.pareto .error{stroke:currentColor;stroke-width:1.6;opacity:.45;stroke-linecap:round}.pareto .name{fill:currentColor;font-size:13.5px;font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px}
.curve{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}.multiples circle{fill:currentColor}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:14px}
figure{margin:0;padding:12px 14px 6px;border:1px solid var(--line);border-radius:10px;background:var(--card)}
figcaption{font-size:.88rem;margin-bottom:4px}figcaption span{color:var(--soft);font-size:.76rem;margin-left:4px}
.two{display:grid;grid-template-columns:minmax(0,1.25fr) minmax(0,1fr);gap:40px;align-items:start}
.panel{border:1px solid var(--line);border-radius:10px;background:var(--card);padding:18px 16px 8px}
.funnel{list-style:none;margin:0;padding:4px 0}
.funnel li{display:grid;grid-template-columns:1fr auto;gap:0 12px;padding:7px 0}
.funnel svg{grid-column:1/-1;width:100%;height:8px;margin:3px 0 2px}.funnel rect{fill:var(--arm-3)}.funnel small{grid-column:1/-1}
.count{font-weight:600;font-variant-numeric:tabular-nums}
.examples{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));align-items:start}
.example{border:1px solid var(--line);border-left:4px solid var(--up);border-radius:8px;background:var(--card);padding:12px 18px 14px;min-width:0}
.example.failed{border-left-color:var(--down)}.example.failed header b{color:var(--down)}.example.passed header b{color:var(--up)}
.example header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline}
.tags{display:flex;flex-wrap:wrap;gap:4px;min-width:0}.tags span{overflow-wrap:anywhere;font-size:.76rem;color:var(--soft);border:1px solid var(--line);border-radius:99px;padding:0 8px}
.faults{margin:.2em 0 0;font-size:.88rem;color:var(--down)}
dl{display:grid;grid-template-columns:62px minmax(0,1fr);gap:8px 10px;margin:10px 0 0}
dt{color:var(--soft);font-size:.8rem;padding-top:.15em}dd{margin:0}
.text{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.94rem;unicode-bidi:plaintext}
.cot{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:.82rem;line-height:1.6}
mark{color:inherit;border-radius:3px;padding:1px 3px;box-decoration-break:clone;-webkit-box-decoration-break:clone}
mark.exact{background:var(--exact);box-shadow:inset 0 -1.5px var(--exact-line)}mark.inexact{background:var(--inexact);box-shadow:inset 0 -1.5px var(--inexact-line)}mark.unknown{background:var(--unknown);box-shadow:inset 0 -1.5px var(--unknown-line)}
details{border-top:1px solid var(--line);padding:10px 0}summary{cursor:pointer;font-weight:500}
pre{overflow:auto;font-size:.8rem;line-height:1.5;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}
.digests{display:grid;grid-template-columns:auto minmax(0,1fr);font-size:.82rem}.digests dd{font-family:ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
${armColours.light.map((_, i) => `.arm-${i}{color:var(--arm-${i})}`).join('')}
@media (max-width:820px){.two{grid-template-columns:minmax(0,1fr);gap:8px}}
@media (max-width:560px){main{padding:26px 14px 60px}h1{font-size:1.6rem}.lead{font-size:1.1rem}.scores th,.scores td{padding:7px 9px}.scores th[scope=row]{min-width:132px;font-size:.88rem}dl{grid-template-columns:minmax(0,1fr);gap:2px}dd{margin-bottom:8px}.chart .tick{font-size:14px}.pareto .name{font-size:17px}.pareto .label{font-size:16px}}
@media print{.scroll{overflow:visible}.example,figure{break-inside:avoid}}
`;
