/** AdamW's moments as a safetensors file: `m.<parameter>`, `v.<parameter>`, and the step count in the metadata. */
import { inputError } from '../base/errors.js';
import type { AdamState } from './adamw.js';
import { openSafetensors, writeSafetensors } from './safetensors.js';

export async function writeAdamState(file: string, { step, m, v }: AdamState): Promise<void> {
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const [kind, moments] of Object.entries({ m, v })) {
    for (const [name, data] of moments) tensors.set(`${kind}.${name}`, { shape: [data.length], data });
  }
  await writeSafetensors(file, tensors, { dtype: 'F32', metadata: { format: 'pt', step: String(step) } });
}

export async function readAdamState(file: string): Promise<AdamState> {
  const opened = await openSafetensors(file);
  try {
    const step = Number(opened.metadata.step);
    if (!Number.isInteger(step) || step < 0) throw inputError(`${file} is no optimizer state: its metadata lacks a step count`);
    const state: AdamState = { step, m: new Map(), v: new Map() };
    for (const name of opened.names) {
      const data = await opened.read(name);
      (name.startsWith('m.') ? state.m : state.v).set(name.slice(2), data);
    }
    return state;
  } finally {
    await opened.close();
  }
}
