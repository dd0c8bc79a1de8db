/** The frame of a page that stands alone: one file, no script, no network; only its own style sheet may apply. */
import { createHash } from 'node:crypto';
import { Html, html } from './html.js';

export interface Page {
  title: string;
  sheet: string;
  /** Class of `<main>`. */
  className?: string;
  main: Html;
}

/** The whole document. Pure: the same page gives the same bytes. */
export function standalonePage({ title, sheet, className, main }: Page): string {
  const styleSource = `'sha256-${createHash('sha256').update(sheet).digest('base64')}'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${new Html(styleSource)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Html(sheet)}</style>
</head>
<body>
<main${className !== undefined && html` class="${className}"`}>
${main}</main>
</body>
</html>
`.source;
}
