import type { Status } from '../answers.ts';
import { count, type Explanation, listed, ms } from './explanation.ts';
import type { PartitionAnswer } from '../partition/answers.ts';

/** Who leads, in which term, who follows, and whom it hears; or why nobody does. As the node that was asked knows. */
export function explainLeader({ name, term, leader, members }: Status, { rows, raftOk, preferredLeaders }: PartitionAnswer): Explanation {
  const voters = members.filter(({ voter }) => voter).map((member) => member.name);
  const majority = Math.floor(voters.length / 2) + 1;
  const hearing = (node: string): readonly string[] => {
    const hears = rows.find((row) => row.node === node)?.hears ?? [];
    return voters.filter((voter) => voter === node || hears.includes(voter));
  };
  const heardBy = (node: string): string => {
    const heard = hearing(node);
    return `${node} hears ${heard.length} of ${count(voters.length, 'voter')} (${listed(heard)}); a majority is ${majority}`;
  };
  const lead = members.find(({ nodeId }) => nodeId === leader?.nodeId)?.name;
  if (lead === undefined) {
    return {
      verdict: `${name} knows of no leader in term ${term}`,
      reasons: [
        raftOk ? 'a leader is possible here: an election is under way' : 'no node that is heard here hears a majority: none can be elected',
        heardBy(name),
        ...said(rows, undefined),
      ],
    };
  }
  const [preferred] = preferredLeaders;
  return {
    verdict: `${lead} leads in term ${term}: a majority elected it, and it leads until it hears none or another is elected`,
    reasons: [
      heardBy(lead),
      ...said(rows, lead),
      ...(preferred === undefined || preferred === lead ? [] : [`${preferred} is better connected: ${lead} should hand over to it`]),
    ],
  };
}

/** Whom the nodes follow, by their own words; those that were never heard are left out. */
function said(rows: PartitionAnswer['rows'], lead: string | undefined): string[] {
  const known = rows.flatMap(({ node, ageMs, leader, term }) => (ageMs === undefined ? [] : [{ node, ageMs, leader, term }]));
  const follow = known.filter(({ leader }) => lead !== undefined && leader === lead);
  const others = known.filter((row) => !follow.includes(row));
  return [
    ...(follow.length === 0 ? [] : [`${listed(follow.map(({ node }) => node))} say that it leads`]),
    ...others.map(({ node, leader, term, ageMs }) => `${node} knows ${leader ?? 'no leader'} in term ${term}, as it said ${ms(ageMs)} ago`),
  ];
}
