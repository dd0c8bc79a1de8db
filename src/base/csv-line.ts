/** Writing CSV that people open in a spreadsheet. */

/**
 * One line, without its end. Text that a spreadsheet would take for a formula is kept from it by an apostrophe; numbers stay numbers,
 * negative ones too.
 */
export const csvLine = (values: readonly (string | number | null | undefined)[]): string => values.map(field).join(',');

function field(value: string | number | null | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
