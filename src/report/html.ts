/** HTML in which text is data: whatever is put into a template is escaped unless it is HTML made by a template. */

export class Html {
  constructor(readonly source: string) {}
}

type Part = string | number | Html | null | false | undefined | readonly Part[];

/** Template tag. Strings are escaped, arrays joined, null, undefined and false left out. Also for attribute values between double quotes. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((text, piece, i) => text + piece + (i < parts.length ? render(parts[i]) : ''), ''));
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Html) return part.source;
  if (typeof part === 'object') return part.map(render).join('');
  return escapeHtml(String(part));
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/**
 * Escapes text for an element or a quoted attribute. Control characters and marks that reorder text are shown as pictures
 * or codes: an answer must not be able to look like another one.
 */
export const escapeHtml = (text: string): string =>
  text
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(/[&<>"']/g, (c) => entities[c]!)
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(
      /[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
      (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`,
    );

/** Numbers in SVG attributes: two decimals are finer than any screen. */
export const px = (value: number): string => String(Math.round(value * 100) / 100);
