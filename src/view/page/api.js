/** What the page asks the server. */

const tokenKey = 'deliberate-token';

/** The command line prints a link that ends in `#token=…`; kept, and taken off the address. */
export function keepToken() {
  const match = /[#&]token=([\w-]+)/.exec(location.hash);
  if (match === null) return;
  localStorage.setItem(tokenKey, /** @type {string} */ (match[1]));
  history.replaceState(null, '', location.pathname + location.search);
}

export const mayWrite = () => localStorage.getItem(tokenKey) !== null;

/** @param {string} path @param {Record<string, unknown>} [params] @returns {string} */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** @param {Response} response @returns {Promise<any>} */
async function read(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `The viewer answered ${response.status}.`);
  return body;
}

/** @param {string} path @param {Record<string, unknown>} [params] @param {AbortSignal} [signal] */
export const get = async (path, params, signal) => read(await fetch(address(`/api/${path}`, params), signal ? { signal } : {}));

/** @param {string} path @param {unknown} body */
export const post = async (path, body) =>
  read(
    await fetch(`/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-deliberate-token': localStorage.getItem(tokenKey) ?? '' },
      body: JSON.stringify(body),
    }),
  );
