/** Settings of a model that runs on a server of its own, for one role of a run. */
import { z } from 'zod';

/**
 * Roles that may be given to a model on a server; without one the embedded base has them, or nobody. `grader` is the judge of
 * evaluations (`eval.judge`): apart from `judge`, for nothing may be trained on what it says. Training stays embedded.
 */
export const modelRoles = ['generator', 'judge', 'attacker', 'categoriser', 'grader'] as const;
export type ModelRole = (typeof modelRoles)[number];

/** Servers whose ways are known. `other`: nothing but what all of them share. */
export const serverKinds = ['vllm', 'sglang', 'llamacpp', 'ollama', 'openai', 'other'] as const;
export type ServerKind = (typeof serverKinds)[number];

/** Fields that must be there wherever there is a server, and those that may be. */
const required = {
  engine: z.literal('openai').describe('openai: any server with the OpenAI endpoint /v1/chat/completions'),
  baseUrl: z
    .url({ protocol: /^https?$/, message: 'give an address that begins with http:// or https://' })
    .refine(withoutSecrets, 'no user, password or query in an address: it is stored. Name the variable of the key in apiKeyEnv')
    .describe('Address of the server, with or without /v1'),
  model: z.string().min(1).describe("The model's name on the server"),
};
const optional = {
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'the name of an environment variable, not the key itself')
    .describe('Name of the environment variable that holds the API key. The key itself is never stored'),
  server: z.enum(serverKinds).describe('Which server it is; left out: asked from the server'),
  logprobs: z
    .boolean()
    .describe(
      'Judge: whether grades are read off log-probabilities (else JSON); left out: tried once, and not with models that reason by themselves',
    ),
  structured: z.boolean().describe('Whether JSON is asked for with a schema (response_format); left out: what the server is known for'),
  maxConcurrency: z.int().min(1).describe('Most requests at once, default 64; the number in use follows the server'),
  timeoutSeconds: z.number().positive().describe('Deadline of one request, default 600'),
  patienceSeconds: z.number().positive().describe('How long a server that answers nothing is waited for, default 300'),
  price: z
    .strictObject({
      input: z.number().min(0).describe('Price of a million tokens sent'),
      output: z.number().min(0).describe('Price of a million tokens written, thoughts included'),
    })
    .describe('Price of a million tokens, {input, output}; tokens from the cache of answers are free'),
  body: z
    .record(z.string(), z.unknown())
    .describe('Further fields of every request, for example {reasoning_effort: low}; null leaves a field out that the model refuses'),
};

/** All fields optional; each keeps its meaning, which zod would leave behind on the inner schema. */
function partial<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  const fields = z.object(shape).partial().shape;
  const described = Object.entries(shape).map(([name, { description = '' }]) => [name, (fields[name] as z.ZodType).describe(description)]);
  return Object.fromEntries(described) as typeof fields;
}

export const ServerSettings = z.strictObject({ ...required, ...partial(optional) });
export type ServerSettings = z.infer<typeof ServerSettings>;

/** For a section that has settings of its own as well. */
export const serverFields = partial({ ...required, ...optional });
type ServerFields = Partial<ServerSettings>;
const fieldNames = [...Object.keys(required), ...Object.keys(optional)] as (keyof ServerSettings)[];

/** Of these fields none may stand alone. @returns the first that is missing, null when the section is whole or has no server */
export function missingServerField(section: { readonly [K in keyof ServerFields]?: ServerFields[K] | undefined }): string | null {
  if (fieldNames.every((name) => section[name] === undefined)) return null;
  return Object.keys(required).find((name) => section[name as keyof ServerSettings] === undefined) ?? null;
}

/** The server that a section names, without its other settings; null when it names none. */
export function serverOf(section: object | undefined): ServerSettings | null {
  const fields = Object.entries(section ?? {}).filter(([name, value]) => (fieldNames as string[]).includes(name) && value !== undefined);
  return fields.length === 0 ? null : ServerSettings.parse(Object.fromEntries(fields));
}

/** The section's own settings, without the server: what records depend on besides the model. */
export function withoutServer<Section extends object>(section: Section): Omit<Section, keyof ServerSettings> {
  return Object.fromEntries(Object.entries(section).filter(([name]) => !(fieldNames as string[]).includes(name))) as Omit<
    Section,
    keyof ServerSettings
  >;
}

function withoutSecrets(address: string): boolean {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url !== null && url.username === '' && url.password === '' && url.search === '';
}
