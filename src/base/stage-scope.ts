/** Which stage work is done for, without handing it through every call: what is spent is counted by stage. */
import { AsyncLocalStorage } from 'node:async_hooks';

const stages = new AsyncLocalStorage<string>();

/** Runs `work`; all it starts belongs to the stage. */
export const inStage = <T>(stage: string, work: () => T): T => stages.run(stage, work);

/** The stage that the caller belongs to, `other` outside of any. */
export const currentStage = (): string => stages.getStore() ?? 'other';
