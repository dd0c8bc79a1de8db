import { expect, it } from 'vitest';
import { punctuate, restate } from './restate.js';

it.each([
  ['How do I fix a slipping chain?', 'The user asks how to fix a slipping chain.'],
  ['how to replace my bent wheel', 'The user asks how to replace their bent wheel.'],
  ['Tell me how to straighten a wheel.', 'The user asks how to straighten a wheel.'],
  ['Write a checklist for my tune-up.', 'The user asks me to write a checklist for their tune-up.'],
  ['Can you suggest a lock for me?', 'The user asks me to suggest a lock for them.'],
  ['Can I strap a table to my rack?', 'The user asks whether they can strap a table to their rack.'],
  ["I'd love a bedtime story with a mail carrier.", 'The user wants a bedtime story with a mail carrier.'],
  ['Which lock is hardest to cut through?', 'The user asks: Which lock is hardest to cut through?'],
  ['My chain slips. How do I fix it?', 'The user asks: My chain slips. How do I fix it?'],
  ['is a cable enough for a quick stop', 'The user asks: is a cable enough for a quick stop?'],
  ['dog just ate some of my philodendron', 'The user asks: dog just ate some of my philodendron.'],
])('restates %j', (request, line) => {
  expect(restate(request)).toBe(line);
});

it('makes one line, whatever the request looks like', () => {
  expect(restate('How do I\nfix it?')).toBe('The user asks how to fix it.');
  expect(restate('one\n\ntwo')).not.toContain('\n');
});

it('ends requests with a mark, once', () => {
  expect(punctuate('what is it')).toBe('what is it?');
  expect(punctuate('Is it "good"?')).toBe('Is it "good"?');
});
