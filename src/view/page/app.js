/** The page: one address a view, kept up to date while the run goes on. */
import { get, keepToken } from './api.js';
import { compareView } from './compare.js';
import { h } from './dom.js';
import { overviewView } from './overview.js';
import { recordsView } from './records.js';
import { specView } from './spec.js';
import { traceView } from './trace.js';

/**
 * @typedef {Record<string, string>} Params
 * @typedef {(path: string, params?: Record<string, unknown>, options?: {replace?: boolean}) => void} Go
 * @typedef {object} View
 * @property {(params: Params, why: 'address' | 'live') => Promise<void>} update
 * @property {(key: string, event: KeyboardEvent) => boolean} [key] whether the key meant something
 */

/** @type {Record<string, {title: string, make: (main: HTMLElement, go: Go) => View}>} */
const views = {
  '/': { title: 'Overview', make: overviewView },
  '/records': { title: 'Records', make: recordsView },
  '/trace': { title: 'Trace', make: traceView },
  '/compare': { title: 'Side by side', make: compareView },
  '/spec': { title: 'Policy', make: specView },
};
const byKey = ['/', '/records', '/compare', '/spec'];
const pollEvery = 2000;

const main = /** @type {HTMLElement} */ (document.querySelector('#main'));
const live = /** @type {HTMLElement} */ (document.querySelector('#live'));
const help = /** @type {HTMLDialogElement} */ (document.querySelector('#help'));
/** @type {{path: string, view: View} | null} */
let current = null;
let version = -1;

/** @type {Go} */
function go(path, params = {}, { replace = false } = {}) {
  const query = new URLSearchParams(
    Object.entries(params).flatMap(([k, v]) => (v === undefined || v === null || v === '' ? [] : [[k, String(v)]])),
  );
  const text = query.toString();
  history[replace ? 'replaceState' : 'pushState'](null, '', text === '' ? path : `${path}?${text}`);
  void show('address');
}

/** @param {'address' | 'live'} why */
async function show(why) {
  const path = location.pathname in views ? location.pathname : '/';
  const { title, make } = /** @type {typeof views[string]} */ (views[path]);
  if (current?.path !== path) {
    main.replaceChildren();
    current = { path, view: make(main, go) };
    document.title = `${title} – deliberate`;
    if (why === 'address' && version !== -1) main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  for (const link of document.querySelectorAll('.top nav a')) {
    if (link.getAttribute('href') === (path === '/trace' ? '/records' : path)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const address = location.pathname + location.search;
  /** Another address was gone to meanwhile: what this one has to show or say is no longer asked for. */
  const isLeft = () => address !== location.pathname + location.search;
  try {
    await current.view.update(Object.fromEntries(new URLSearchParams(location.search)), why);
    if (isLeft()) return;
    document.body.dataset['ready'] = address;
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError' || isLeft()) return;
    if (why === 'address')
      main.replaceChildren(h('p', { class: 'problem', role: 'alert' }, error instanceof Error ? error.message : String(error)));
    if (why === 'address') current = null;
  }
}

document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  if (link.origin !== location.origin || !(link.pathname in views) || link.hash !== '') return;
  event.preventDefault();
  go(link.pathname, Object.fromEntries(link.search === '' ? [] : new URLSearchParams(link.search)));
});

document.addEventListener('keydown', (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || help.open) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches('input, textarea, select')) {
    if (event.key !== 'Escape') return;
    // A search field would be emptied: leaving it must not change what is shown.
    target.blur();
    event.preventDefault();
    return;
  }
  const page = byKey[Number(event.key) - 1];
  if (event.key === '?') help.showModal();
  else if (page !== undefined) go(page);
  else if (current?.view.key?.(event.key, event) !== true) return;
  event.preventDefault();
});

/** @type {HTMLElement} */ (document.querySelector('#keys')).addEventListener('click', () => help.showModal());
addEventListener('popstate', () => void show('address'));

/** A text that did not change is not set again, or screen readers would read it out. @param {HTMLElement} element @param {string} text */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function poll() {
  if (document.hidden) return;
  try {
    const { version: now, name, running } = await get('version');
    live.classList.remove('lost');
    say(live, running ? 'running' : '');
    say(/** @type {HTMLElement} */ (document.querySelector('#run')), name);
    const before = version;
    version = now;
    if (before !== -1 && now !== before) await show('live');
  } catch {
    say(live, 'no connection');
    live.classList.add('lost');
  }
}

keepToken();
void show('address');
void poll();
setInterval(() => void poll(), pollEvery);
document.addEventListener('visibilitychange', () => void poll());
