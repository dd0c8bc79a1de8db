/** spec(category) as the models of a run see it: compiled once a category, under the run's token budget (paper, section 2.3.1). */
import type { Config } from '../base/config.js';
import { contentId } from '../base/records.js';
import type { Workbench } from '../engines/workbench.js';
import { type CompileOptions, compileSpec, compileSummary } from './spec/compile.js';
import type { Spec } from './spec/types.js';

/** Under a run's settings. The embedded reader was trained on clauses alone (recipes/reasoner); large models gain from the rest. */
export const specsOf = (
  spec: Spec,
  { generate }: Pick<Config, 'generate'>,
  bench: Pick<Workbench, 'countTokens' | 'layout'>,
): CompiledSpecs =>
  new CompiledSpecs(spec, {
    maxTokens: generate.specTokens,
    parts: generate.specParts ?? (bench.layout === 'shared' ? 'clauses' : 'all'),
    countTokens: (text) => bench.countTokens(text),
  });

export class CompiledSpecs {
  private readonly texts = new Map<string, { text: string; tokens: number; digest: string }>();

  constructor(
    readonly spec: Spec,
    readonly options: Pick<CompileOptions, 'maxTokens' | 'parts' | 'countTokens' | 'summaries'>,
  ) {}

  private compiled(category: string): { text: string; tokens: number; digest: string } {
    let compiled = this.texts.get(category);
    if (compiled === undefined) {
      const { text, tokens } = compileSpec(this.spec, category, this.options);
      compiled = { text, tokens, digest: contentId('spec', text) };
      this.texts.set(category, compiled);
    }
    return compiled;
  }

  /** @throws input error for a category that the specification does not have */
  text = (category: string): string => this.compiled(category).text;
  tokens = (category: string): number => this.compiled(category).tokens;
  /** What records that were made under this text depend on. */
  digest = (category: string): string => this.compiled(category).digest;
  /** The summaries of all categories, principles and styles: no detail. */
  summary = (): string => compileSummary(this.spec);
}
