/**
 * One row a record, whatever file it came from: completions of stage 1, rollouts of RL, answers of the evaluation.
 * What is read off a CoT here with patterns is read as `src/align/spec/lines.ts` reads it.
 */

/** Codes that a CoT cites. */
const codes = (cot: string) => `list_distinct(regexp_extract_all(coalesce(${cot}, ''), '\\[([A-Z][A-Za-z0-9-]{0,11})\\]', 1))`;
/** The last decision line. */
const decision = (cot: string) => {
  const word = `lower(coalesce(regexp_extract_all(${cot}, '(?im)^\\s*decision:\\s*(.+?)[\\s.]*$', 1)[-1], ''))`;
  return `case when ${word} ~ '(comply|allowed).*' then 'comply' when ${word} ~ 'safe[- ]complet.*' then 'safe-complete' when ${word} ~ '(refuse|disallowed).*' then 'refuse' end`;
};
const failedChecks = `list_filter([
  case when not c.checks.wellFormed then 'wellFormed' end, case when not c.checks.citedClauseExists then 'citedClauseExists' end,
  case when not c.checks.quoteOccurs then 'quoteOccurs' end, case when not c.checks.rulingMatchesDecision then 'rulingMatchesDecision' end,
  case when not c.checks.answerMatchesDecision then 'answerMatchesDecision' end, case when c.checks.leaksSpec then 'leaksSpec' end],
  lambda x: x is not null)`;

/** Kinds of response from the most giving to the least; gibberish is none of them. */
const strictness = (kind: string) => `case ${kind} when 'comply' then 0 when 'safe-complete' then 1 when 'refuse' then 2 end`;

/** A score as people filter by it. */
const band = `case when state is not null then state when score = 0 then '0' when score < 0.25 then '0–.25' when score < 0.5 then '.25–.5'
  when score < 0.75 then '.5–.75' when score < 1 then '.75–1' else '1' end`;

export const buildSteps: readonly string[] = [
  `create or replace table prompts as
   select p.id, p.messages, p.messages[-1].content as prompt, coalesce(p.category, k.category, 'none') as category, p.ideal, p.split,
     coalesce(p.technique, 'none') as technique, coalesce(p.request, p.id) as request, coalesce(p.tags, []) as tags
   from (select rowid as at, * from raw_prompts) p
   left join (select promptId, arg_max(category, rowid) as category from raw_categories group by promptId) k on k.promptId = p.id
   qualify row_number() over (partition by p.id order by p.at desc) = 1`,

  `create or replace table judged as
   select completionId, arg_max(struct_pack(score := score, runs := runs), rowid) as last from raw_judgements group by completionId`,

  `create or replace table records as
   with completion as (
     select 1 as part, c.rowid as place, 'completion/' || c.id as key, 'generate' as source, 'base' as arm, null as suite, null::INTEGER as step, c.sample, c.promptId, p.request,
       p.prompt, p.category, p.ideal, p.technique, c.decision, k.kind, j.last.score as score,
       case when j.completionId is null then 'not judged' when j.last.score is null then 'unscored' end as state,
       list_transform(c.citations, lambda x: x.code) as codes, ${failedChecks} as faults, s.promptId is not null as kept, c.stopReason, c.cot, c.answer
     from raw_completions c left join prompts p on p.id = c.promptId left join judged j on j.completionId = c.id left join kinds k on k.id = c.id
     left join (select distinct promptId, cot, answer from raw_sft) s on s.promptId = c.promptId and s.cot = c.cot and s.answer = c.answer),
   rollout as (
     select 2, r.rowid, 'rollout/' || r.id, 'rl', 'sft+rl', null, r.step, r.sample, r.promptId, p.request, p.prompt, coalesce(p.category, r.judgeRequest.category),
       p.ideal, p.technique, ${decision('r.cot')}, k.kind, r.reward,
       case when r.outcome = 'unscored' then 'unscored' when r.reward is null then 'not judged' end,
       ${codes('r.cot')}, case when r.outcome in ('malformed', 'truncated') then [r.outcome] else [] end, false, null, r.cot, r.answer
     from raw_rollouts r left join prompts p on p.id = r.promptId left join kinds k on k.id = r.id),
   eval as (
     select 3, e.rowid, 'eval/' || e.arm || '/' || e.suite || '/' || e.promptId, 'eval', e.arm, e.suite, null, null, e.promptId, e.request, e.prompt, e.category,
       e.ideal, e.technique, ${decision('e.cot')}, e.kind, e.score, case when e.score is null then 'unscored' end, ${codes('e.cot')},
       coalesce(e.faults, []), false, e.stopReason, e.cot, e.answer
     from raw_evals e),
   every as (select * from completion union all select * from rollout union all select * from eval),
   human as (
     select record, arg_max(struct_pack(verdict := verdict, digest := answerDigest, note := note), rowid) as last from raw_overrides group by record)
   select (row_number() over (order by part, place))::INTEGER as n, every.* exclude (part, place), ${band} as band, case when h.record is not null then case when h.last.digest = sha256(every.answer) then h.last.verdict end end as human,
     lower(concat_ws(chr(10), prompt, cot, answer)) as text
   from every left join human h on h.record = every.key`,

  // followed, violated: does the answer's kind fit the ruling of the clause cited. Over-applied: the ruling is stricter than the label of the request.
  `create or replace table uses as
   select n, code, category, ruling, case when ${strictness('kind')} is null then 'unclear' when kind = ruling then 'followed' else 'violated' end as fit,
     coalesce(${strictness('ruling')} > ${strictness('ideal')}, false) as over_applied
   from (select distinct r.n, u.code, k.category, k.ruling, r.kind, r.ideal from records r, unnest(r.codes) u(code) join clauses k on k.code = u.code)`,
];
