/** Settings of an engine that is a Tinker-compatible service: the hosted one, or SkyRL tx on machines of one's own. */
import { z } from 'zod';
import { chosenTargets, type LoraTarget } from './lora-targets.js';

/** Fields of the section `engine` that only such a service has. */
export const tinkerFields = {
  baseUrl: z
    .url({ protocol: /^https?$/, message: 'give an address that begins with http:// or https://' })
    .refine(withoutSecrets, 'no user, password or query in an address: it is stored. Name the variable of the key in apiKeyEnv')
    .optional()
    .describe('tinker: address of the service, with or without /api/v1'),
  servedModel: z
    .string()
    .min(1)
    .optional()
    .describe(
      'tinker: the name by which the service knows the model (SkyRL tx: what --base-model was given). Left out: asked from the service',
    ),
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'the name of an environment variable, not the key itself')
    .optional()
    .describe('tinker: environment variable that holds the API key. Left out: TINKER_API_KEY for an https address, none for http'),
  lossReduction: z
    .enum(['sum', 'mean'])
    .optional()
    .describe(
      "tinker: how the service adds up a sequence's loss. sum: as Tinker does. mean: it divides by the sum of the weights, as SkyRL tx on JAX does. Left out: sum for https, mean for http",
    ),
  maxConcurrency: z.int().min(1).optional().describe('tinker: most samples asked for at once, default 64'),
  timeoutSeconds: z.number().positive().optional().describe('tinker: how long one call may be under way, default 3600'),
  patienceSeconds: z.number().positive().optional().describe('tinker: how long a service that answers nothing is waited for, default 300'),
  pipelined: z
    .boolean()
    .optional()
    .describe(
      'tinker: true sends a step before its gradients are there. SkyRL tx may then take the step first. Left out: true for https, false for http',
    ),
  keepModels: z
    .boolean()
    .optional()
    .describe('tinker: true never unloads a model there. SkyRL tx in several processes wants it (docs/TINKER.md); default false'),
};

type TinkerFields = { [Name in keyof typeof tinkerFields]?: z.infer<(typeof tinkerFields)[Name]> | undefined };

/** LoRA alpha of every model on such a service: the interface has no field for it. */
export const tinkerAlpha = 32;

export const mergeAdvice =
  'a Tinker model starts from a fresh LoRA, so what makes the model a reasoner must be part of the checkpoint that is served. Merge it (deliberate export RUN --to merged --arm base --out FOLDER), serve that folder, set engine.model to it and engine.adapter to null';

/** The first thing that is wrong between the kind of engine and the rest of its section; null when all is well. */
export function tinkerMistake(
  engine: TinkerFields & { kind: string; adapter?: string | null | undefined; alpha: number; targets: readonly LoraTarget[] },
): { field: string; message: string } | null {
  if (engine.kind !== 'tinker') {
    const field = Object.keys(tinkerFields).find((name) => engine[name as keyof TinkerFields] !== undefined);
    return field === undefined ? null : { field, message: 'is for engine.kind: tinker alone. Set that, or leave this out' };
  }
  if (engine.baseUrl === undefined)
    return {
      field: 'baseUrl',
      message: 'is missing: engine.kind tinker needs the address of the service, for example http://127.0.0.1:8000',
    };
  if (engine.adapter !== null) return { field: 'adapter', message: mergeAdvice };
  if (engine.alpha !== tinkerAlpha)
    return { field: 'alpha', message: `must be ${tinkerAlpha} with engine.kind tinker: such services know no other` };
  if (chosenTargets(engine.targets) !== null)
    return { field: 'targets', message: 'must be left out with engine.kind tinker: such services choose the layers themselves' };
  return null;
}

function withoutSecrets(address: string): boolean {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url !== null && url.username === '' && url.password === '' && url.search === '';
}
