/** A jailbreak technique: a pure function that wraps a request, and its inverse. */
import type { Random } from '../../base/random.js';

export interface Technique {
  /** Standard name where there is one (StrongREJECT, *Jailbroken*). */
  readonly name: string;
  /** Techniques of one family share their idea; a family is trained on or held out as a whole. */
  readonly family: string;
  /** The request, wrapped. Same request and same state of `random` → same text; the request itself where there is nothing to change. */
  apply(request: string, random: Random): string;
  /** The request out of a text that `apply` made; null where it cannot be told for certain. */
  recover(wrapped: string): string | null;
}

/** Marks the place of the request in a frame. */
const slot = '{request}';

/**
 * A technique that puts fixed words around the request. Each frame is one wording with `{request}` in it once;
 * `apply` draws a frame.
 * @throws an internal error when a frame has no slot, two slots, or no words of its own.
 */
export function framed(family: string, name: string, frames: readonly string[]): Technique {
  const parts = frames.map((frame) => {
    const [before, after, ...more] = frame.split(slot);
    if (before === undefined || after === undefined || more.length > 0 || (before + after).trim() === '') {
      throw new Error(`internal: technique ${name}: a frame needs ${slot} once and words around it`);
    }
    return { before, after };
  });
  return {
    name,
    family,
    apply: (request, random) => {
      const { before, after } = random.pick(parts);
      return before + request + after;
    },
    recover: (wrapped) => {
      const fit = parts.find(
        ({ before, after }) => wrapped.length >= before.length + after.length && wrapped.startsWith(before) && wrapped.endsWith(after),
      );
      return fit === undefined ? null : wrapped.slice(fit.before.length, wrapped.length - fit.after.length);
    },
  };
}

/**
 * One technique inside another: `inner` is applied first. Where one of them changes nothing it would be the other alone under a name that
 * promises both, so the request comes back as it was.
 */
export const composed = (family: string, name: string, inner: Technique, outer: Technique): Technique => ({
  name,
  family,
  apply: (request, random) => {
    const middle = inner.apply(request, random);
    if (middle === request) return request;
    const whole = outer.apply(middle, random);
    return whole === middle ? request : whole;
  },
  recover: (wrapped) => {
    const middle = outer.recover(wrapped);
    return middle === null ? null : inner.recover(middle);
  },
});
