/** The linear layers of a block that can carry a LoRA, by PEFT's names (`target_modules`), in their order. */
export const allTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type LoraTarget = (typeof allTargets)[number];

/** Those named, each once and in their order: what a training depends on. Null where it is all of them, as it was before one could choose. */
export function chosenTargets(targets: readonly LoraTarget[]): LoraTarget[] | null {
  const chosen = allTargets.filter((target) => targets.includes(target));
  return chosen.length === allTargets.length ? null : chosen;
}
