/** Pages written by hand with parts that commands write, each between two marks. */

/** The page with another text between its marks, on lines of their own; null when it has not exactly one pair of them, in their order. */
export function fillBetween(page: string, start: string, end: string, text: string): string | null {
  const [before, inner, ...rest] = page.split(start);
  const [, after, ...more] = (inner ?? '').split(end);
  if (before === undefined || after === undefined || rest.length > 0 || more.length > 0) return null;
  return `${before}${start}\n${text}\n${end}${after}`;
}
