/** A model whose replies are kept in a file, so that grading and attacking go on where they were broken off. */
import { z } from 'zod';
import { JsonlLog } from '../base/jsonl.js';
import { contentId, StopReason, type Message } from '../base/records.js';
import type { ChatModel, ChatRequest } from '../engines/types.js';

const LoggedReply = z.strictObject({ id: z.string(), text: z.string(), stopReason: StopReason });
export type LoggedReply = z.infer<typeof LoggedReply>;

/** The file of replies; several models may share it. */
export class ReplyLog {
  private readonly replies: Map<string, LoggedReply>;

  private constructor(private readonly log: JsonlLog<LoggedReply>) {
    this.replies = new Map(log.records.map((record) => [record.id, record]));
  }

  /** @throws as `JsonlLog.open` */
  static open = async (file: string): Promise<ReplyLog> => new ReplyLog(await JsonlLog.open(file, LoggedReply));

  get = (id: string): LoggedReply | undefined => this.replies.get(id);

  async add(reply: LoggedReply): Promise<void> {
    this.replies.set(reply.id, reply);
    await this.log.append(reply);
  }

  close = (): Promise<void> => this.log.close();
}

export interface Ask {
  messages: readonly Message[];
  maxTokens: number;
  temperature: number;
  seed: number;
  jsonSchema?: NonNullable<ChatRequest['jsonSchema']>;
}

export class LoggedModel {
  constructor(
    private readonly model: ChatModel,
    /** Of all that its replies depend on. */
    readonly digest: string,
    /** Null: nothing is kept. */
    private readonly log: ReplyLog | null,
    private readonly signal?: AbortSignal,
  ) {}

  get name(): string {
    return this.model.name;
  }

  /** A failure of the engine is not kept, so that going on asks again. @throws what the model throws */
  async ask({ messages, jsonSchema, ...params }: Ask): Promise<LoggedReply> {
    const id = contentId('reply', this.digest, messages, params);
    const before = this.log?.get(id);
    if (before !== undefined) return before;
    const { choices } = await this.model.chat({
      messages,
      ...params,
      ...(jsonSchema && { jsonSchema }),
      ...(this.signal && { signal: this.signal }),
    });
    const choice = choices[0];
    const reply: LoggedReply = { id, text: choice?.text ?? '', stopReason: choice?.stopReason ?? 'error' };
    if (reply.stopReason !== 'error') await this.log?.add(reply);
    return reply;
  }
}
