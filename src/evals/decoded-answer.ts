/** An answer that was written in base64, as text, so that graders can read it. */

/** The text of an answer that is base64 and nothing else; any other answer as it stands. */
export function decodedAnswer(answer: string): string {
  const packed = answer.trim().replace(/\s+/g, '');
  if (packed.length < 16 || packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) return answer;
  const bytes = Buffer.from(packed, 'base64');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // A long word may look like base64; what comes of it has control characters or is not UTF-8.
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? answer : text;
  } catch {
    return answer;
  }
}
