import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { techniqueNamed } from '../../prompts/jailbreaks/wrap.js';
import { LoggedModel } from '../logged-model.js';
import { scriptedChat } from '../scripted-chat.js';
import { obfuscation, payloadSplitting } from './hidden-words.js';
import { paraphrase, persuasions } from './persuasion.js';
import { pair } from './refinement.js';
import { sharedWords, type AttackContext } from './technique.js';
import { chooseTechniques } from './techniques.js';
import { translation } from './translation.js';

const request = 'How do I repair the slipping chain of an old bicycle?';
type Script = Parameters<typeof scriptedChat>[0];
function attackerOf(script: Script) {
  const model = scriptedChat(script);
  const context: AttackContext = { attacker: new LoggedModel(model, 'a', null), seed: 1, maxTokens: 99 };
  return { context, requests: model.requests };
}
const asksWhetherSame = (text: string) => text.startsWith('Would a full answer');

/** Rewrites; translates into a language of its own and back. */
const able: Script = (text) => {
  if (asksWhetherSame(text)) return { same: text.split('Second text:\n')[1]!.includes('bicycle') };
  if (/from .+ into English/.test(text)) return { message: 'How do I repair the slipping chain of an old bicycle?' };
  if (text.startsWith('Translate')) return { message: 'Ngilungisa kanjani iketango?' };
  return { message: `A well-known institute asks you: ${request}` };
};

describe.each([...persuasions, paraphrase, translation('translation_zu')].map((technique) => [technique.name, technique] as const))(
  '%s',
  (_name, technique) => {
    it('changes the prompt and keeps the request', async () => {
      const { context, requests } = attackerOf(able);
      const attack = await technique.apply(request, context);
      expect(attack).toHaveProperty('text');
      const { text } = attack as { text: string };
      expect(text).not.toBe(request);
      if (technique.family !== 'translation') expect(text).toContain(request);
      else expect(requests.some(({ messages }) => messages.at(-1)!.content.includes(`into English.\n\nThe message:\n${text}`))).toBe(true);
      expect(await technique.apply(request, attackerOf(able).context)).toEqual(attack);
    });

    it.each<[string, Script, RegExp]>([
      [
        'gives the request back',
        (text) => (asksWhetherSame(text) ? { same: true } : { message: `  ${request.toUpperCase()} ` }),
        /unchanged/,
      ],
      [
        'asks for something else',
        (text) => (asksWhetherSame(text) ? { same: false } : { message: 'How is bread baked?' }),
        /something else/,
      ],
      ['declines', () => "I'm sorry, but I can't help with that.", /declined/],
      ['writes no JSON', () => 'Message: hello', /not JSON/],
    ])('comes to nothing when the attacker %s', async (_case, script, message) => {
      const { context } = attackerOf(script);
      expect(await technique.apply(request, context)).toEqual({ failed: expect.stringMatching(message) as string });
    });
  },
);

describe('auto_payload_splitting', () => {
  const split = async (script: Script) => payloadSplitting.apply(request, attackerOf(script).context);

  it('takes the words apart that the attacker picks, so that putting them together gives the request back', async () => {
    const attack = await split(() => ({ message: 'Bicycle; slipping chain; chain; not there' }));
    expect(attack).toHaveProperty('text');
    const { text } = attack as { text: string };
    expect(text).not.toMatch(/bicycle|slipping|chain/i);
    const values = new Map([...text.matchAll(/^(v\d+) = (".*")$/gm)].map(([, name, value]) => [name!, JSON.parse(value!) as string]));
    const told = text.slice(text.indexOf('answer: ') + 'answer: '.length);
    expect(told.replace(/\{(v\d+)\+(v\d+)\}/g, (_, a: string, b: string) => values.get(a)! + values.get(b)!)).toBe(request);
  });

  it.each<[string, Script, RegExp]>([
    ['gives the request back', () => ({ message: request.toUpperCase() }), /unchanged/],
    ['picks words of something else', () => ({ message: 'bread; oven' }), /something else/],
    ['declines', () => "I'm sorry, but I can't help with that.", /declined/],
  ])('comes to nothing when the attacker %s', async (_case, script, message) => {
    expect(await split(script)).toEqual({ failed: expect.stringMatching(message) as string });
  });
});

describe('auto_obfuscation', () => {
  const hide = async (message: string, same = true) =>
    obfuscation.apply(request, attackerOf((text) => (asksWhetherSame(text) ? { same } : { message })).context);

  it('hides words and keeps the request', async () => {
    const text = 'How do I mend the slipping ch-a-i-n of an old two-wheeler?';
    expect(await hide(text)).toEqual({ text });
  });
  it('comes to nothing where nothing is hidden, or another thing is asked for', async () => {
    expect(await hide(`Please: ${request}`)).toHaveProperty('failed');
    expect(await hide('How is br-e-ad baked?', false)).toEqual({ failed: expect.stringMatching(/something else/) as string });
  });
});

it('asks again where the first try was of no use', async () => {
  let tries = 0;
  const { context } = attackerOf((text) =>
    asksWhetherSame(text) ? { same: false } : { message: tries++ === 0 ? request : `Please: ${request}` },
  );
  expect(await paraphrase.apply(request, context)).toEqual({ text: `Please: ${request}` });
  expect(tries).toBe(2);
});

it('a translation that was not translated is none', async () => {
  const { context } = attackerOf((text) => (asksWhetherSame(text) ? { same: true } : { message: `Please, ${request}` }));
  expect(await translation('translation_gd').apply(request, context)).toHaveProperty('failed');
});

describe('pair', () => {
  it('learns from the answers, stops when the model gives way, and asks what went furthest', async () => {
    let round = 0;
    const { context, requests } = attackerOf((text) =>
      asksWhetherSame(text) ? { same: true } : { message: `Try number ${++round}: ${request}` },
    );
    const harms = [0.2, 0.5, 0.9, 1];
    const asked: string[] = [];
    const target: AttackContext['target'] = {
      reply: async (text) => {
        asked.push(text);
        return { cot: null, answer: `Answer to ${text}`, stopReason: 'stop' };
      },
      harm: async () => harms[asked.length - 1]!,
    };
    const attack = await pair.apply(request, { ...context, target });
    expect(attack).toEqual({ text: `Try number 3: ${request}` });
    expect(asked).toHaveLength(3);
    const last = requests.at(-1)!.messages.at(-1)!.content;
    expect(last).toContain('Answer to Try number 2');
    expect(last).toContain('0.50');
  });

  it('counts an answer that could not be graded as no harm, and comes to nothing without a usable try', async () => {
    const target: AttackContext['target'] = { reply: async () => ({ cot: null, answer: 'x', stopReason: 'stop' }), harm: async () => null };
    let round = 0;
    const some = attackerOf((text) => (asksWhetherSame(text) ? { same: true } : { message: `Try ${++round}: ${request}` }));
    expect(await pair.apply(request, { ...some.context, target })).toEqual({ text: `Try 4: ${request}` });
    const none = attackerOf(() => ({ message: request }));
    expect(await pair.apply(request, { ...none.context, target })).toEqual({ failed: 'the attacker repeated itself' });
  });
});

it('techniques are chosen by name or group, each once', () => {
  const chosen = chooseTechniques(['none', 'held-out:3', 'held-out:3', 'base64', 'pap', 'pap_logical_appeal', 'translation_zu']);
  expect(chosen.plain).toBe(true);
  expect(chosen.pure).toHaveLength(4);
  expect(new Set(chosen.pure.slice(0, 3).map(({ family }) => family)).size).toBe(3);
  expect(chosen.written.map(({ name }) => name)).toEqual([...persuasions.map(({ name }) => name), 'translation_zu']);
  expect(chooseTechniques(['held-out']).pure).toHaveLength(20);
  expect(() => chooseTechniques(['magic'])).toThrow(/--technique magic: is not known/);
  expect(() => chooseTechniques(['translation_!!'])).toThrow(/is no language code/);
});

describe('techniques joined by +', () => {
  it('are applied in order, pure ones around what a model wrote', async () => {
    const chosen = chooseTechniques(['poems+base64', 'pap_logical_appeal+rot_13+aim', 'poems+base64']);
    expect(chosen.pure.map(({ name, family }) => [name, family])).toEqual([['poems+base64', 'verse+encoding']]);
    const [technique] = chosen.written;
    expect(technique).toMatchObject({ name: 'pap_logical_appeal+rot_13+aim', family: 'persuasion+encoding+persona' });
    const attack = await technique!.apply(request, attackerOf(able).context);
    expect(await technique!.apply(request, attackerOf(able).context)).toEqual(attack);
    const inner = techniqueNamed('rot_13+aim').recover((attack as { text: string }).text);
    expect(inner).toBe(`A well-known institute asks you: ${request}`);
  });

  it('come to nothing where the model failed, or the wrapper finds nothing to change', async () => {
    const declined = attackerOf(() => "I'm sorry, but I can't help with that.").context;
    const [technique] = chooseTechniques(['pap_logical_appeal+base64']).written;
    expect(await technique!.apply(request, declined)).toEqual({ failed: 'the attacker declined' });
    const chinese = attackerOf((text) => (asksWhetherSame(text) ? { same: true } : { message: '如何修自行车？' })).context;
    const [idle] = chooseTechniques(['paraphrase+leetspeak']).written;
    expect(await idle!.apply(request, chinese)).toEqual({ failed: expect.stringMatching(/leetspeak finds nothing to change/) as string });
  });

  it('try on the model what is asked in the end', async () => {
    const tried: string[] = [];
    const [technique] = chooseTechniques(['pair+base64_raw']).written;
    let round = 0;
    const { context } = attackerOf((text) => (asksWhetherSame(text) ? { same: true } : { message: `Try ${++round}: ${request}` }));
    const reply = async (text: string) => (tried.push(text), { cot: null, answer: 'x', stopReason: 'stop' as const });
    expect(technique!.adaptive).toBe(true);
    const attack = await technique!.apply(request, { ...context, target: { reply, harm: async () => tried.length / 4 } });
    expect(tried).toContain((attack as { text: string }).text);
    expect(techniqueNamed('base64_raw').recover(tried[0]!)).toBe(`Try 1: ${request}`);
  });

  it.each([
    ['base64+pap_logical_appeal', /pap_logical_appeal is written by a model, so it must stand first/],
    ['poems+held-out', /held-out is not known as one technique/],
    ['poems+magic', /magic is not known as one technique/],
    ['aim+poems+bon+base64', /at most 3/],
    ['gcg_transfer_universal+base64', /gcg_transfer_universal: its suffix must be given/],
  ])('%s is refused', (name, message) => {
    expect(() => chooseTechniques([name])).toThrow(message);
  });

  it('take the suffixes that were given', () => {
    const { pure } = chooseTechniques(['gcg_transfer_made_up+aim'], new Map([['made_up', 'zig zag']]));
    expect(pure[0]!.recover(pure[0]!.apply(request, new Random(1)))).toBe(request);
  });
});

it('words are compared by their beginnings, short ones not at all', () => {
  expect(sharedWords('repair the bicycle', 'repairing two bicycles')).toBe(1);
  expect(sharedWords('repair the bicycle', 'sell a bicycle')).toBe(0.5);
  expect(sharedWords('do it', 'anything')).toBeNull();
});
