/** The sentence that asks for reasoning over the specification (paper, section 2.3.1): one wording, shared by generation, judging and the reader's training. */

/** Ends the system message wherever a model is to reason over a specification. */
export const generationInstruction =
  'Think first, between <think> and </think>: say what the user asks, quote the policy line that applies, quote the style line, decide. Then answer in that style.';

/** The whole system message: the compiled specification, then the instruction. */
export const reasoningSystem = (compiledSpec: string): string => `${compiledSpec}\n\n${generationInstruction}`;
