/**
 * The first line of a CoT: the request in reported speech. Word order stays that of the request as far as English
 * lets it, for a small model restates by copying.
 */
const end = (text: string): string => `${text.replace(/[\s.?!]+$/, '')}.`;

const howTo =
  /^(?:how (?:do|can|should|could|would|might) (?:i|we|you|one|a person)|how to|how do people|what(?:'s| is|s) the (?:best|right|easiest|quickest|fastest|safest) way to|(?:please )?(?:tell|show|teach) me how to|(?:please )?explain how to) /i;
const whether = /^(can|may|should|could|must|do|will|am|would) (i|we) (?!get better)/i;
const politeCommand = /^(?:please,? |(?:can|could|would|will) you (?:please )?|i (?:need|want) you to |i(?:'d| would) like you to )/i;
const wantsTo = /^i (?:want|need|would like|'d like|plan|am trying|'m trying)(?: to) |^i(?:'d| would) (?:like|love) to |^i'm trying to /i;
const wantsThing = /^(?:i (?:want|need|would like)|i'd (?:like|love)|i would love) (?=(?:an?|some|the|ideas|two|three|four|five|help)\b)/i;
const imperative =
  /^(?:add|advise|answer|argue|ask|begin|build|calculate|check|choose|compare|compose|convert|convince|correct|count|decide|define|describe|design|draft|draw|edit|estimate|explain|fill|find|finish|fit|fix|follow|format|give|guide|help|imagine|improve|invent|judge|lay|list|make|mix|name|organi[sz]e|outline|persuade|pick|plan|prepare|propose|prove|put|rank|rate|read|recommend|redo|rephrase|retell|review|rewrite|settle|shorten|show|sing|sketch|solve|sort|spell|suggest|summari[sz]e|talk|teach|tell|think of|translate|turn|walk|work out|write|warn|say) (?!is\b|are\b|was\b|i\b|my \w+ is\b)/i;

/** "The user asks how to …", "The user asks me to …", "The user wants …", or "The user asks: …" with the request as it is. */
export function restate(request: string): string {
  const text = request.replace(/\s+/g, ' ').trim();
  // More than one sentence, or a remark after the question: nothing is left out, so nothing is turned round either.
  const single = !/[.?!;:"“”](?:\s|$)/.test(text.replace(/[.?!\s]+$/, ''));
  if (single) {
    if (howTo.test(text)) return reported('The user asks how to', text.replace(howTo, ''));
    const yesNo = whether.exec(text);
    if (yesNo !== null && !/^(do|am|will|would)$/i.test(yesNo[1] as string)) {
      return reported(`The user asks whether they ${(yesNo[1] as string).toLowerCase()}`, text.slice(yesNo[0].length));
    }
    if (politeCommand.test(text)) return reported('The user asks me to', lowerFirst(text.replace(politeCommand, '')));
    if (wantsTo.test(text)) return reported('The user wants to', text.replace(wantsTo, ''));
    if (wantsThing.test(text)) return reported('The user wants', text.replace(wantsThing, ''));
    if (imperative.test(text)) return reported('The user asks me to', lowerFirst(text));
  }
  return `The user asks: ${punctuate(text)}`;
}

/** The text with a full stop or question mark at its end, which users often leave out. */
export const punctuate = (text: string): string => (/[.?!]["'”)]?$/.test(text) ? text : `${text}${question.test(text) ? '?' : '.'}`);
const question = /^(?:how|what|whats|which|who|why|where|when|is|are|am|do|does|did|can|could|should|would|will|may|has|have)\b/i;

const reported = (start: string, rest: string): string => end(`${start} ${thirdPerson(rest)}`);

const lowerFirst = (text: string): string => (/^[A-Z][a-z]/.test(text) ? (text[0] as string).toLowerCase() + text.slice(1) : text);

const swaps: [RegExp, string][] = [
  [/\bI am\b|\bI'm\b|\bim\b/g, "they're"],
  [/\bI was\b/g, 'they were'],
  [/\bI\b|\bi\b(?!\.)/g, 'they'],
  [/\bI've\b|\bive\b/g, "they've"],
  [/\bmy\b/gi, 'their'],
  [/\bme\b/g, 'them'],
  [/\bmine\b/g, 'theirs'],
  [/\bmyself\b/g, 'themselves'],
];
const thirdPerson = (text: string): string => swaps.reduce((now, [pattern, word]) => now.replace(pattern, word), text);
