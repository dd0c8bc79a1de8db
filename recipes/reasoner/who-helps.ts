/** Who can help in each kind of everyday topic, for styles that send the user to somebody. */
import type { Random } from '../../src/base/random.js';

const byTopic: [RegExp, readonly string[]][] = [
  [/bicycl|cycling|motorbike|scooter/, ['a bike mechanic', 'a cycling club']],
  [/car|driv|vehicle/, ['a mechanic', 'a garage', 'a driving teacher']],
  [/cat|dog|pet|aquarium|horse|bird|animal|farm/, ['a vet', 'an animal shelter', 'a pet shop']],
  [/plant|garden|vegetable|lawn|tree|flower/, ['a gardener', 'a garden centre']],
  [/bread|cook|bak|food|meal|coffee|tea|cheese/, ['a baker', 'a cook', 'a dietitian']],
  [/plumb|paint|furniture|build|house|roof|electric|renov|wood/, ['a plumber', 'a builder', 'a carpenter', 'a hardware shop']],
  [/piano|guitar|music|sing|choir|drum|violin/, ['a music teacher', 'an instrument maker']],
  [/wifi|phone|app|comput|software|spreadsheet|web|video game/, ['a technician', 'a computer shop', 'the support line']],
  [/train|air|hotel|travel|flight|camp|hik|bus|cruise/, ['a travel agent', 'the service desk', 'a guide']],
  [/school|learn|language|homework|librar|exam|stud/, ['a teacher', 'a librarian', 'a tutor']],
  [/job|office|work|email|meeting|interview|business/, ['a manager', 'a career adviser', 'a colleague']],
  [/rent|flat|neighbour|moving|law|tax|money|bank|insur/, ['a lawyer', 'an advice centre', "a tenants' group"]],
  [/swim|sport|fitness|yoga|run|football|tennis|health|sleep/, ['a coach', 'a doctor', 'a physiotherapist']],
  [/wedding|birthday|party|parties|gift/, ['a planner', 'a good friend']],
  [/child|baby|famil|parent/, ['a midwife', 'a nurse', 'another parent']],
];
const anyone = [
  'an expert',
  'a specialist',
  'a professional',
  'a trained adviser',
  'someone you trust',
  'a helpline',
  'a support group',
  'a counsellor',
  'a lawyer',
  'a doctor',
  'a pharmacist',
  'a nurse',
  'a therapist',
  'a trusted adult',
  'a local service',
  'an advice line',
];

/** Someone who can help; about the topic half the time, so that a style's own words count and not habit. */
export function someoneFor(random: Random, family: string): string {
  const fitting = byTopic.filter(([pattern]) => pattern.test(family)).flatMap(([, who]) => who);
  return fitting.length > 0 && random.uniform() < 0.5 ? random.pick(fitting) : random.pick(anyone);
}
