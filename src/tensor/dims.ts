/**
 * Dimensions of a graph: a number, or a symbol bound when the graph runs (`T`), or a product of these (`3*R*T`).
 * Products are canonical text, so equal dimensions are equal strings.
 */
import { internalError } from '../base/errors.js';

export type Dim = number | string;
export type Shape = readonly Dim[];
export type Bindings = Readonly<Record<string, number>>;

function factors(dim: Dim): { coefficient: number; symbols: string[] } {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] };
  let coefficient = 1;
  const symbols: string[] = [];
  for (const part of dim.split('*')) {
    if (/^\d+$/.test(part)) coefficient *= Number(part);
    else symbols.push(part);
  }
  return { coefficient, symbols };
}

function canonical(coefficient: number, symbols: string[]): Dim {
  if (symbols.length === 0 || coefficient === 0) return coefficient;
  const text = [...symbols].sort().join('*');
  return coefficient === 1 ? text : `${coefficient}*${text}`;
}

/** Product of dimensions: `product('R', 3, 'T')` is `3*R*T`. */
export function product(...dims: Dim[]): Dim {
  let coefficient = 1;
  const symbols: string[] = [];
  for (const dim of dims) {
    const f = factors(dim);
    coefficient *= f.coefficient;
    symbols.push(...f.symbols);
  }
  return canonical(coefficient, symbols);
}

/** Value of a dimension under bindings; throws when a symbol is unbound. */
export function evaluate(dim: Dim, bindings: Bindings): number {
  const { coefficient, symbols } = factors(dim);
  let value = coefficient;
  for (const symbol of symbols) {
    const bound = bindings[symbol];
    if (bound === undefined) throw internalError(`dimension ${symbol} is not bound`);
    value *= bound;
  }
  return value;
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

/** NumPy broadcasting of two shapes; symbols broadcast only against themselves or 1. */
export function broadcast(a: Shape, b: Shape): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw internalError(`shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
  });
}
