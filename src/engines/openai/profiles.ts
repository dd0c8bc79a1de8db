/** What each server does differently behind the same endpoint (docs/SERVERS.md says it for people). */
import type { ServerKind } from '../../base/server-settings.js';

export interface ServerProfile {
  kind: ServerKind;
  /** How an assistant's turn is continued; null: it cannot be. */
  prefill: 'continue-final-message' | 'assistant-last' | null;
  /** Whether `n` gives several different samples, also under a seed. */
  manySamples: boolean;
  /** Whether response_format json_schema is enforced. */
  structured: boolean;
  /** Name of the field that limits the completion. */
  maxTokensField: 'max_tokens' | 'max_completion_tokens';
  /** Sampling fields that the server fills with defaults of its own unless told otherwise, set to "no truncation". */
  neutral: Readonly<Record<string, number>>;
  /** Name and meaning of top-k; null: the server takes none. */
  topK: boolean;
}

const common = { maxTokensField: 'max_tokens', neutral: {} } as const;

export const profiles: Readonly<Record<ServerKind, ServerProfile>> = {
  // The model's generation_config.json would set top_k and min_p.
  vllm: {
    ...common,
    kind: 'vllm',
    prefill: 'continue-final-message',
    manySamples: true,
    structured: true,
    topK: true,
    neutral: { top_k: -1, min_p: 0 },
  },
  sglang: {
    ...common,
    kind: 'sglang',
    prefill: 'continue-final-message',
    manySamples: true,
    structured: true,
    topK: true,
    neutral: { top_k: -1, min_p: 0 },
  },
  // Samples at top_k 40, min_p .05 unless told otherwise; one completion a request.
  llamacpp: {
    ...common,
    kind: 'llamacpp',
    prefill: 'assistant-last',
    manySamples: false,
    structured: true,
    topK: true,
    neutral: { top_k: 0, min_p: 0 },
  },
  ollama: { ...common, kind: 'ollama', prefill: null, manySamples: false, structured: true, topK: false },
  openai: {
    kind: 'openai',
    prefill: null,
    manySamples: true,
    structured: true,
    topK: false,
    neutral: {},
    // Reasoning models refuse max_tokens.
    maxTokensField: 'max_completion_tokens',
  },
  other: { ...common, kind: 'other', prefill: null, manySamples: false, structured: false, topK: false },
};

/** The kind of server, from its address and its answer to GET /v1/models. */
export function recogniseServer(baseUrl: string, models: unknown): ServerKind {
  if (new URL(baseUrl).hostname === 'api.openai.com') return 'openai';
  const data = (models as { data?: unknown } | null)?.data;
  const owners = Array.isArray(data) ? data.map((one) => (one as { owned_by?: unknown } | null)?.owned_by) : [];
  if (owners.includes('vllm')) return 'vllm';
  if (owners.includes('sglang')) return 'sglang';
  if (owners.includes('llamacpp')) return 'llamacpp';
  if (owners.includes('library')) return 'ollama';
  return 'other';
}

/** The address of the API: `/v1` is added to a bare host, a path of its own is kept. */
export function apiAddress(baseUrl: string): string {
  const url = new URL(baseUrl);
  const path = url.pathname.replace(/\/+$/, '').replace(/\/chat\/completions$/, '');
  return `${url.origin}${path === '' ? '/v1' : path}`;
}
