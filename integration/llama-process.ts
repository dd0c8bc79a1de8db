/** The real llama.cpp server as a process that may be killed, and the part of its interface that is its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dependencyError, inputError } from '../src/base/errors.js';
import type { Message } from '../src/base/records.js';
import { freePort, say } from './proof.js';

const program = (): string => {
  const named = process.env['LLAMA_SERVER'];
  if (!named) throw inputError('LLAMA_SERVER is not set: start this through integration/llama.sh or llama-server.sh.');
  return named;
};

/** Prints what `--version` says. */
export async function sayLlamaVersion(): Promise<void> {
  const { stdout, stderr } = await promisify(execFile)(program(), ['--version']);
  const version = /version: *(.+)/.exec(stdout + stderr)?.[1]?.trim();
  say(`llama.cpp ${version ?? 'unknown'}`);
}

export interface Completed {
  tokens: number[];
  content: string;
  /** Of each token: the two likeliest, for looking at a difference. */
  likeliest: { token: number; logprob: number }[][];
}

export class LlamaServer {
  private log = '';

  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {
    child.stderr?.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-4000)));
    child.stdout?.resume();
  }

  /** @throws dependency error when it is not ready within minutes */
  static async start({ model, port, slots = 1, more = [] }: { model: string; port?: number; slots?: number; more?: string[] }) {
    const at = port ?? (await freePort());
    const args = ['-m', model, '--host', '127.0.0.1', '--port', String(at), '--jinja', '--reasoning-format', 'none', '--no-ui'];
    const room = ['--parallel', String(slots), '--ctx-size', String(slots * 2048), '--threads', '2'];
    const server = new LlamaServer(
      `http://127.0.0.1:${at}`,
      spawn(program(), [...args, ...room, ...more], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    process.once('exit', () => server.child.kill('SIGKILL'));
    await server.ready();
    return server;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  private async ready(): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (this.child.exitCode !== null) throw dependencyError(`llama-server ended with ${this.child.exitCode}:\n${this.log}`);
      const health = await fetch(`${this.url}/health`).catch(() => null);
      if (health?.status === 200) return;
      await sleep(500);
    }
    throw dependencyError(`llama-server is not ready after five minutes:\n${this.log}`);
  }

  /** SIGKILL: nothing is flushed or answered. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  /** Tokens of a conversation, as its own template engine and tokenizer make them, BOS included where it would add one. */
  async promptTokens(messages: readonly Message[]): Promise<number[]> {
    const { prompt } = (await this.post('/apply-template', { messages })) as { prompt: string };
    const { tokens } = (await this.post('/tokenize', { content: prompt, add_special: true, parse_special: true })) as { tokens: number[] };
    return tokens;
  }

  /** Greedy. */
  async complete(prompt: readonly number[], maxTokens: number): Promise<Completed> {
    const asked = { prompt, n_predict: maxTokens, temperature: 0, n_probs: 2, return_tokens: true, cache_prompt: false };
    const { tokens, content, completion_probabilities } = (await this.post('/completion', asked)) as {
      tokens: number[];
      content: string;
      completion_probabilities?: { top_logprobs: { id: number; logprob: number }[] }[];
    };
    const likeliest = (completion_probabilities ?? []).map(({ top_logprobs }) =>
      top_logprobs.map(({ id, logprob }) => ({ token: id, logprob })),
    );
    return { tokens, content, likeliest };
  }

  async post(path: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok)
      throw dependencyError(`llama-server answers ${path} with ${response.status}: ${(await response.text()).slice(0, 500)}`);
    return response.json();
  }
}
