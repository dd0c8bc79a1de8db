/**
 * The judge of an engine that gives log-probabilities. It first reads: samples its own CoT over the specification and the
 * conversation, which depends on the prompt and the run alone and so is shared by all answers to a prompt. Then it grades:
 * the expected grade under the probabilities of "1" … "5". Runs differ in their reading and in the rubric's wording.
 */
import { Random } from '../base/random.js';
import { contentId, type JudgeRun, type Message, type ResponseKind } from '../base/records.js';
import { splitCot } from '../lm/split-cot.js';
import { checkCompletion } from './check.js';
import { repairCitations } from './repair.js';
import { sharedLayout } from './generation-prompt.js';
import type { JudgeForm, JudgeOptions, JudgeSubject } from './judge-form.js';
import { gradePrefill, grades, gradeTurn, pickDelimiter, scoreOfGrade } from './judge-turns.js';
import { seedFrom } from './stage.js';

interface Reading {
  cot: string;
  decision: ResponseKind;
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
    const logprobs = await this.grade(subject, reading, run);
    const expected = expectedGrade(logprobs);
    const agreement = subject.hint === undefined ? {} : { agreesWithHint: reading.decision === subject.hint };
    if (expected === null)
      return { score: null, rationale: reading.cot, unscored: 'the engine gave no probabilities of the grades', ...agreement };
    return { score: scoreOfGrade(expected), rationale: reading.cot, ...agreement };
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
   * The first attempt whose citations hold (the judge has the specification before it, so they can be checked); with a hint, the
   * first of those that agrees with it, and if none does, the judge disagrees. Null when no attempt holds.
   */
  private async read({ messages, category, hint }: JudgeSubject, run: number): Promise<Reading | null> {
    const { model, specs, settings, seed, signal } = this.options;
    let dissenting: Reading | null = null;
    for (let attempt = 0; attempt < settings.readings; attempt++) {
      const greedy = run === 0 && attempt === 0;
      const { choices } = await model.chat({
        ...sharedLayout(messages, specs.text(category)),
        maxTokens: settings.maxTokens,
        temperature: greedy ? 0 : settings.temperature,
        seed: seedFrom('reading', seed, messages, category, run, attempt),
        stop: ['</think>'],
        ...(signal && { signal }),
      });
      const reading = this.holds(choices[0]?.text ?? '', choices[0]?.stopReason === 'stop', category);
      if (reading === null) continue;
      if (hint === undefined || reading.decision === hint) return reading;
      dissenting ??= reading;
    }
    return dissenting;
  }

  private holds(text: string, ended: boolean, category: string): Reading | null {
    const { cot: written, malformed } = splitCot(`${text}</think>`);
    if (!ended || malformed || written === null) return null;
    const { cot } = repairCitations(written, this.options.specs.spec, category);
    const { decision, checks } = checkCompletion({
      cot,
      answer: '',
      malformed: false,
      stopReason: 'stop',
      spec: this.options.specs.spec,
      category,
    });
    const cites = checks.citedClauseExists !== false && checks.quoteOccurs !== false && checks.rulingMatchesDecision !== false;
    return decision !== null && cites ? { cot, decision } : null;
  }

  private grade({ messages, answer, category, cot }: JudgeSubject, reading: Reading, run: number): Promise<number[]> {
    const { model, specs, seed, signal } = this.options;
    const delimiter = pickDelimiter(new Random(seedFrom('delimiter', seed, messages, answer, run)), answer, cot ?? '');
    const layout = sharedLayout(messages, specs.text(category));
    const asked: Message[] = [
      ...layout.messages,
      { role: 'assistant', content: `<think>\n${reading.cot}\n</think>` },
      { role: 'user', content: gradeTurn({ answer, delimiter, wording: run, ...(cot !== undefined && { cot }) }) },
      { role: 'assistant', content: gradePrefill },
    ];
    return model.choiceLogprobs!({ messages: asked, choices: grades, sharedMessages: layout.sharedMessages, ...(signal && { signal }) });
  }
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
