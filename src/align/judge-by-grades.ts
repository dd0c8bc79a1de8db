/**
 * The judge of an engine that gives log-probabilities. It first reads: samples its own CoT over the specification and the
 * conversation, which depends on the prompt and the run alone and so is shared by all answers to a prompt. Then it says what
 * it finds in the answer, and grades: the expected grade under the probabilities of "1" … "5". Runs differ in their reading and in the rubric's wording.
 */
import { Random } from '../base/random.js';
import { contentId, lastRequest, type JudgeRun, type Message, type ResponseKind } from '../base/records.js';
import { splitCot, thoughtTurn } from '../lm/split-cot.js';
import { answerMatches, checkCompletion } from './check.js';
import { repairCitations } from './repair.js';
import { sharedLayout } from './generation-prompt.js';
import type { JudgeForm, JudgeOptions, JudgeSubject } from './judge-form.js';
import { gradeCeiling, gradePrefill, grades, gradeTurn, pickDelimiter, scoreOfGrade } from './judge-turns.js';
import { seedFrom } from './stage.js';

interface Reading {
  cot: string;
  decision: ResponseKind;
  /** Whether it found a clause that applies. */
  cites: boolean;
}

export class GradeJudge implements JudgeForm {
  private readonly readings = new Map<string, Promise<Reading | null>>();

  constructor(private readonly options: JudgeOptions) {}

  async run(subject: JudgeSubject, run: number): Promise<JudgeRun> {
    const reading = await this.reading(subject, run);
    if (reading === null) {
      return {
        score: null,
        rationale: '',
        unscored: `none of ${this.options.settings.readings} readings cites the specification correctly`,
      };
    }
    const agreement = subject.hint === undefined ? {} : { agreesWithHint: reading.decision === subject.hint };
    if (this.options.settings.kindCheck && !answerMatches(subject.answer, reading.decision, lastRequest(subject.messages))) {
      return { score: 0, rationale: reading.cot, ...agreement };
    }
    const { verdict, logprobs } = await this.grade(subject, reading, run);
    const rationale = `${reading.cot}\n${verdict}`;
    const expected = logprobs === null ? null : expectedGrade(logprobs);
    if (expected !== null) {
      return { score: scoreOfGrade(Math.min(expected, gradeCeiling(verdict, reading.decision))), rationale, ...agreement };
    }
    const unscored = logprobs === null ? 'the verdict came to no grade' : 'the engine gave no probabilities of the grades';
    return { score: null, rationale, unscored, ...agreement };
  }

  /** Kept, since n answers to one prompt, and its group in each RL step, ask for the same. */
  private reading(subject: JudgeSubject, run: number): Promise<Reading | null> {
    const key = contentId(subject.messages, subject.category, run, subject.hint ?? null);
    let reading = this.readings.get(key);
    if (reading === undefined) {
      reading = this.read(subject, run);
      this.readings.set(key, reading);
      // A failed request is not a reading: the next one asks again.
      reading.catch(() => this.readings.delete(key));
    }
    return reading;
  }

  /**
   * A run reads several times at once, and its reading is the majority's (self-consistency): only those count whose citations hold
   * (the judge has the specification before it, so they can be checked), and those that find no clause only if no other does, for
   * the prompt was filed under this category. With a hint, a reading that agrees with it goes first, and if none does, the judge
   * disagrees. Null when none holds.
   */
  private async read({ messages, category, hint }: JudgeSubject, run: number): Promise<Reading | null> {
    const { model, specs, settings, seed, signal } = this.options;
    const { choices } = await model.chat({
      ...sharedLayout(messages, specs.text(category)),
      n: settings.readings,
      maxTokens: settings.maxTokens,
      temperature: settings.temperature,
      seed: seedFrom('reading', seed, messages, category, run),
      stop: ['</think>'],
      ...(signal && { signal }),
    });
    const holding = choices.flatMap(({ text, stopReason }) => this.holds(text, stopReason === 'stop', category) ?? []);
    const citing = holding.filter(({ cites }) => cites);
    const counted = citing.length > 0 ? citing : holding;
    return counted.find(({ decision }) => decision === hint) ?? majority(counted);
  }

  private holds(text: string, ended: boolean, category: string): Reading | null {
    const { cot: written, malformed } = splitCot(`${text}</think>`);
    if (!ended || malformed || written === null) return null;
    const { cot } = repairCitations(written, this.options.specs.spec, category);
    const { decision, citations, checks } = checkCompletion({
      cot,
      answer: '',
      malformed: false,
      stopReason: 'stop',
      spec: this.options.specs.spec,
      category,
    });
    const right = checks.citedClauseExists !== false && checks.quoteOccurs !== false && checks.rulingMatchesDecision !== false;
    return decision !== null && right ? { cot, decision, cites: citations.length > 0 } : null;
  }

  /** The verdict in words first, then the probabilities of the grades after it; null where the words lead to none. */
  private async grade(
    { messages, answer, category, cot }: JudgeSubject,
    reading: Reading,
    run: number,
  ): Promise<{ verdict: string; logprobs: number[] | null }> {
    const { model, specs, seed, signal } = this.options;
    const delimiter = pickDelimiter(new Random(seedFrom('delimiter', seed, messages, answer, run)), answer, cot ?? '');
    const layout = sharedLayout(messages, specs.text(category));
    const asked: Message[] = [
      ...layout.messages,
      { role: 'assistant', content: thoughtTurn(reading.cot) },
      { role: 'user', content: gradeTurn({ answer, delimiter, wording: run, ...(cot !== undefined && { cot }) }) },
    ];
    const shared = { sharedMessages: layout.sharedMessages, ...(signal && { signal }) };
    const { choices } = await model.chat({
      ...shared,
      messages: asked,
      temperature: 0,
      maxTokens: verdictTokens,
      stop: [gradePrefill.trim()],
    });
    const verdict = choices[0]?.text.trim() ?? '';
    if (choices[0]?.stopReason !== 'stop' || !verdict.endsWith('.')) return { verdict, logprobs: null };
    const prefill: Message = { role: 'assistant', content: `${verdict} ${gradePrefill}` };
    return { verdict, logprobs: await model.choiceLogprobs!({ ...shared, messages: [...asked, prefill], choices: grades }) };
  }
}

/** Room for the words before a grade. */
const verdictTokens = 40;

/** The first reading of the decision that most have; among equals the one met first. */
function majority(readings: readonly Reading[]): Reading | null {
  let best: Reading | null = null;
  const votes = (reading: Reading) => readings.filter(({ decision }) => decision === reading.decision).length;
  for (const reading of readings) if (best === null || votes(reading) > votes(best)) best = reading;
  return best;
}

/** Mean of the grades under their probabilities, which need not add up to 1; null when they are no numbers. */
export function expectedGrade(logprobs: readonly number[]): number | null {
  const highest = Math.max(...logprobs);
  if (logprobs.length !== grades.length || !Number.isFinite(highest)) return null;
  const weights = logprobs.map((logprob) => Math.exp(logprob - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const expected = weights.reduce((sum, weight, i) => sum + weight * Number(grades[i]), 0) / total;
  return Number.isFinite(expected) ? Math.min(5, Math.max(1, expected)) : null;
}
