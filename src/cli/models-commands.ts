/** `models pull`, `models list`. */
import { createProgress } from '../base/progress.js';
import { defaultModel, listModels, resolveModel } from '../lm/models.js';

export async function modelsPull(name: string, signal: AbortSignal): Promise<void> {
  const progress = createProgress();
  const file = await resolveModel(name, {
    signal,
    onProgress: progress.say,
  });
  console.log(`${name}: ${file}`);
}

export async function modelsList(): Promise<void> {
  for (const { name, path } of await listModels())
    console.log(`${name}${name === defaultModel ? ' (default)' : ''}: ${path ?? 'not here; deliberate models pull ' + name}`);
}
