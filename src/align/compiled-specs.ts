/** spec(category) as the models of a run see it: compiled once a category, under the run's token budget (paper, section 2.3.1). */
import type { Config } from '../base/config.js';
import { contentId } from '../base/records.js';
import type { Workbench } from '../engines/workbench.js';
import { partsOf } from './spec/budget.js';
import { type CompiledSpec, type CompileOptions, compileSpec, compileSummary } from './spec/compile.js';
import type { Spec } from './spec/types.js';

/** Under a run's settings. */
export const specsOf = (
  spec: Spec,
  { generate }: Pick<Config, 'generate'>,
  bench: Pick<Workbench, 'countTokens' | 'layout'>,
): CompiledSpecs =>
  new CompiledSpecs(spec, {
    maxTokens: generate.specTokens,
    parts: partsOf(generate, bench.layout),
    countTokens: (text) => bench.countTokens(text),
  });

export class CompiledSpecs {
  private readonly texts = new Map<string, CompiledSpec & { digest: string }>();

  constructor(
    readonly spec: Spec,
    readonly options: Pick<CompileOptions, 'maxTokens' | 'parts' | 'countTokens' | 'summaries'>,
  ) {}

  private compiled(category: string): CompiledSpec & { digest: string } {
    let compiled = this.texts.get(category);
    if (compiled === undefined) {
      const made = compileSpec(this.spec, category, this.options);
      compiled = { ...made, digest: contentId('spec', made.text) };
      this.texts.set(category, compiled);
    }
    return compiled;
  }

  /** @throws input error for a category that the specification does not have */
  text = (category: string): string => this.compiled(category).text;
  tokens = (category: string): number => this.compiled(category).tokens;
  /** What did not fit the budget, as `compileSpec` names it. */
  dropped = (category: string): readonly string[] => this.compiled(category).dropped;
  /** What records that were made under this text depend on. */
  digest = (category: string): string => this.compiled(category).digest;
  /** The summaries of all categories, principles and styles: no detail. */
  summary = (): string => compileSummary(this.spec);
}
