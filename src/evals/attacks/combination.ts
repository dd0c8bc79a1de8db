/** A pure technique around what a model wrote: `translation_zu+base64`. */
import { Random } from '../../base/random.js';
import { familyOf } from '../../prompts/jailbreaks/combination.js';
import type { Technique } from '../../prompts/jailbreaks/technique.js';
import type { ModelTechnique } from './technique.js';

export function wrappedAttack(inner: ModelTechnique, outer: Technique): ModelTechnique {
  const name = `${inner.name}+${outer.name}`;
  return {
    name,
    family: familyOf(inner, outer),
    ...(inner.adaptive !== undefined && { adaptive: inner.adaptive }),
    async apply(request, context) {
      // The same draw for the same request: what was tried on the model is what is asked in the end.
      const wrap = (text: string) => outer.apply(text, new Random(`wrap ${context.seed} ${name} ${request}`));
      const { target } = context;
      const wrapped = target && { ...target, reply: (text: string) => target.reply(wrap(text)) };
      const attack = await inner.apply(request, { ...context, ...(wrapped && { target: wrapped }) });
      if ('failed' in attack) return attack;
      const text = wrap(attack.text);
      return text === attack.text ? { failed: `${outer.name} finds nothing to change in what the attacker wrote` } : { text };
    },
  };
}
