/** The worker thread that owns the sessions, the adapters and the optimizer. */
import { parentPort } from 'node:worker_threads';
import { DeliberateError, internalError } from '../../base/errors.js';
import { memoryError } from '../../base/memory.js';
import type { CallMessage, CallName, Calls, ReplyMessage, TokenMessage } from './protocol.js';
import { Model } from './model.js';

const port = parentPort;
if (!port) throw internalError('the engine worker runs in a worker thread only');

let model: Model | null = null;
const aborts = new Map<number, AbortController>();
/** Training calls run one after another: they share gradients and optimizer state. Sampling batches itself. */
let training: Promise<unknown> = Promise.resolve();

async function answer({ id, call, argument }: CallMessage): Promise<unknown> {
  if (call === 'start') {
    model = await Model.load(argument as Parameters<Calls['start']>[0]);
    return undefined;
  }
  if (!model) throw internalError('the engine was not started');
  const loaded = model;
  if (call === 'sample') {
    const controller = new AbortController();
    aborts.set(id, controller);
    try {
      const onToken = (copy: number, token: number) => port?.postMessage({ id, copy, token } satisfies TokenMessage);
      return await loaded.sample(argument as Parameters<Calls['sample']>[0], controller.signal, onToken);
    } finally {
      aborts.delete(id);
    }
  }
  if (call === 'choices') return loaded.choices(argument as Parameters<Calls['choices']>[0]);
  const method = loaded[call as Exclude<CallName, 'start' | 'sample' | 'choices'>].bind(loaded) as (argument: unknown) => unknown;
  const run = training.then(() => method(argument));
  training = run.catch(() => undefined);
  return run;
}

port.on('message', (message: CallMessage) => {
  // Kernels run synchronously, so none is running here; what is on its way to the disk appears whole or not at all.
  if (message.call === 'close') process.exit(0);
  if (message.call === 'abort') {
    aborts.get(message.argument as number)?.abort(new Error('aborted'));
    return;
  }
  answer(message).then(
    (result) => port.postMessage({ id: message.id, ok: true, result } satisfies ReplyMessage),
    (cause: unknown) => {
      const error = memoryError(cause) ?? cause;
      port.postMessage({
        id: message.id,
        ok: false,
        kind: error instanceof DeliberateError ? error.kind : 'internal',
        message: error instanceof DeliberateError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error),
      } satisfies ReplyMessage);
    },
  );
});
