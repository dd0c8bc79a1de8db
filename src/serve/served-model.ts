/** What a server offers under the name of a model. */
import { contentId, type Message } from '../base/records.js';
import type { ChatModel } from '../engines/types.js';

export interface ServedModel {
  id: string;
  model: ChatModel;
  /** Digest of the weights. */
  fingerprint: string;
  /** The specification that it was aligned to; null where it was aligned to none, or nobody knows. */
  specification: ServedSpecification | null;
  /** Puts what stands before the conversation there: a specification, for a model that has it in its context. */
  layOut?: (messages: readonly Message[]) => { messages: Message[]; sharedMessages: number };
  /** Unix time, seconds. */
  created: number;
}

export interface ServedSpecification {
  /** Of the whole: changes with any clause. */
  digest: string;
  /** Of what concerns each category. */
  categories: Readonly<Record<string, string>>;
}

/** Header of every answer of a model, with the digest of its specification. */
export const specHeader = 'x-deliberate-spec';

/** @param categories digests of what concerns each category, as run.yaml and the trainings note them */
export const servedSpecification = (categories: Readonly<Record<string, string>>): ServedSpecification => ({
  digest: contentId('specification', categories),
  categories,
});
