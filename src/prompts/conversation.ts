/** What identifies a prompt, and the text that stands for it when prompts are compared. */
import { contentId, type Message } from '../base/records.js';

/** A prompt's id depends on its conversation alone: a new label or split keeps the id. */
export const promptId = (messages: readonly Message[]): string => contentId('prompt', messages);

/** The user's own words, one turn a line: what two prompts are compared by. */
export const userText = (messages: readonly Message[]): string =>
  messages
    .filter((message) => message.role === 'user')
    .map((message) => message.content)
    .join('\n');

/** Why a conversation cannot be a prompt, or null: it must end on a user turn, and no user turn may be empty. */
export function conversationFault(messages: readonly Message[]): string | null {
  if (messages.at(-1)?.role !== 'user') return 'messages: the last message must be the user’s';
  const empty = messages.findIndex((m) => m.role === 'user' && m.content.trim() === '');
  return empty === -1 ? null : `messages.${empty}.content: the user’s text is empty`;
}
